//! Snapshots of the macros' expansions, for review of their effect on every user's crate.

use proc_macro2::TokenStream;
use quote::quote;

fn pretty(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).unwrap())
}

#[test]
fn async_function() {
    let function = quote! {
        /// The current weather.
        pub async fn get_weather(
            /// City name
            city: &str,
            #[arg(default = 1, range = 1..=7)] days: u8,
            http: &Client,
        ) -> Result<Forecast, Error> {
            http.forecast(city, days).await
        }
    };
    insta::assert_snapshot!(pretty(crate::function::expand(TokenStream::new(), &function)));
}

#[test]
fn sync_function_with_all_keys() {
    let function = quote! {
        /// Books.
        #[cfg(feature = "booking")]
        #[deprecated]
        fn book(#[args] trip: Trip, #[inject] shared: Arc<Db>) -> Booking {
            shared.book(trip)
        }
    };
    let keys = quote!(name = "book-trip", struct = BookTrip, crate = agents, read_only = false, approval, timeout = "2m", retries = 0, concurrency = 2, rate = "10/s", output);
    insta::assert_snapshot!(pretty(crate::function::expand(keys, &function)));
}

#[test]
fn toolset_block() {
    let block = quote! {
        impl<C: Client> Weather<C> {
            /// Gets.
            #[tool(inline)]
            fn get(&self, #[arg(pattern = "^[a-z]+$")] path: String, ctx: &ToolContext) -> C::Reply {
                self.client.get(&path)
            }

            /// Counts.
            #[tool]
            fn count(self: &Arc<Self>) -> usize {
                1
            }

            fn other(&self) {}
        }
    };
    insta::assert_snapshot!(pretty(crate::toolset::expand(quote!(prefix = "weather_"), &block)));
}
