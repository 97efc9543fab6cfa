//! Code generation for a tool's spec, injected keys, policy and call, which [`function`](crate::function) and
//! [`toolset`](crate::toolset) combine.
//!
//! Locals have `mixed_site` hygiene, so that they can't collide with names of the user; everything else is reached through
//! the private module of `strands`. Calls that may fail to type-check are spanned at the user's type.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Path, Type};

use crate::attr::{DefaultValue, Rate};
use crate::tool_fn::{Argument, Origin, ToolFn, peel};

/// Returns the path of the module of `strands` for generated code. Its name contains the patch version, so that
/// mismatched versions of `strands-core` and `strands-macros` fail at once.
pub(crate) fn private(krate: Option<&Path>) -> TokenStream {
    let module = Ident::new(concat!("__private", env!("CARGO_PKG_VERSION_PATCH")), Span::mixed_site());
    match krate {
        Some(path) => quote!(#path::#module),
        None => quote_spanned!(Span::mixed_site()=> ::strands::#module),
    }
}

/// Returns the lints to allow on the user's function. Clippy would change between owned and borrowed arguments, which
/// decide who supplies the value.
pub(crate) fn allowed_on_functions() -> Attribute {
    syn::parse_quote!(#[allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref)])
}

/// Returns the tokens with their spans located elsewhere.
pub(crate) fn located(tokens: &TokenStream, at: Span) -> TokenStream {
    let relocate = |mut token: TokenTree| {
        token.set_span(token.span().located_at(at));
        token
    };
    tokens.clone().into_iter().map(relocate).collect()
}

/// Returns the signature of `Tool::call` as `#[async_trait]` expands it. The attribute itself would be one more macro for
/// each tool, and would change the contexts of messages.
pub(crate) fn call_head(private: &TokenStream, ctx: &Ident, input: &Ident) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        fn call<'life0, 'life1, 'async_trait>(
            &'life0 self,
            #ctx: &'life1 #private::ToolContext,
            #input: #private::Value,
        ) -> #private::BoxFuture<'async_trait, #private::Result<#private::ToolOutput, #private::ToolError>>
        where
            'life0: 'async_trait,
            'life1: 'async_trait,
            Self: 'async_trait,
    }
}

/// Code generator for one tool.
pub(crate) struct Expander<'a> {
    pub(crate) tool: &'a ToolFn,
    pub(crate) private: &'a TokenStream,
}

impl Expander<'_> {
    /// Generates the `ToolSpec`.
    pub(crate) fn spec(&self) -> TokenStream {
        let Self { tool, private } = self;
        let name = tool.tool_name();
        let description = match &tool.attr.description {
            Some(expr) => quote!(#expr),
            None => tool.docs.description(private).unwrap_or_else(|| quote!("")),
        };
        let annotations = self.annotations();
        let strict = tool.settings.strict.filter(|flag| flag.on).map(|_| quote!(.strict(true)));
        let arguments = tool.arguments.iter().filter_map(|argument| self.described(argument));
        let output = tool
            .settings
            .output
            .filter(|flag| flag.on)
            .and(tool.return_type())
            .filter(|ty| crate::types::first_impl_trait(ty).is_none())
            .map(|ty| {
                let ty = self.erased(ty);
                quote_spanned!(self.at(&ty)=> .output({
                    #[allow(unused_imports)]
                    use #private::{SchemaOfResult as _, SchemaOfValue as _};
                    (&&#private::Tag::<#ty>::new()).output_schema()
                }))
            });
        quote_spanned! {Span::mixed_site()=>
            #private::SpecBuilder::new(#name, #description)
                #annotations
                #strict
                #(#arguments)*
                #output
                .build()
        }
    }

    /// Generates the annotations with explicit values.
    fn annotations(&self) -> TokenStream {
        let private = self.private;
        let settings = &self.tool.settings;
        let hints = [
            ("read_only", settings.read_only),
            ("destructive", settings.destructive),
            ("idempotent", settings.idempotent),
            ("open_world", settings.open_world),
        ];
        let given: Vec<TokenStream> = hints
            .into_iter()
            .filter_map(|(name, flag)| {
                let (setter, on) = (format_ident!("with_{name}"), flag?.on);
                Some(quote!(.#setter(#on)))
            })
            .collect();
        if given.is_empty() {
            return TokenStream::new();
        }
        quote_spanned!(Span::mixed_site()=> .annotations(#private::ToolAnnotations::new() #(#given)*))
    }

    /// Generates an argument's part of the schema; `None` for injected arguments.
    fn described(&self, argument: &Argument) -> Option<TokenStream> {
        let private = self.private;
        let ty = &argument.ty;
        let description = match &argument.listed {
            Some(text) => Some(quote!(#text)),
            None => argument.docs.whole(private),
        };
        let description = description.map(|text| quote!(.describe(#text)));
        if argument.origin == Origin::WholeInput {
            return Some(quote_spanned! {Span::mixed_site()=>
                .whole_input(#private::whole_input::<#ty>(), #private::ArgumentDocs::new() #description)
            });
        }
        if !argument.origin.is_model() {
            return None;
        }
        let read = self.reader(argument);
        let default = argument.attr.default.as_ref().map(|default| {
            let value = self.default_value(argument, default);
            quote! {
                .default_value({
                    #[allow(unused_imports)]
                    use #private::{JsonOfSerialize as _, JsonOfOther as _};
                    let __value: #ty = #value;
                    (&&#private::Tag::of(&__value)).to_json(&__value)
                })
            }
        });
        let example = argument.attr.example.as_ref().map(|example| {
            let value = self.as_decoded(argument, example);
            quote! {
                .example({
                    let __value: #ty = #value;
                    #private::example::<#ty>(&__value)
                })
            }
        });
        Some(
            quote_spanned!(Span::mixed_site()=> .argument(#read, #private::ArgumentDocs::new() #description #default #example)),
        )
    }

    /// Generates the code that the schema and the decoding of an argument share, so that they can't disagree.
    fn reader(&self, argument: &Argument) -> TokenStream {
        let private = self.private;
        let ty = &argument.ty;
        let name = argument.name();
        let default = argument.attr.default.as_ref().map(|default| {
            let value = self.default_value(argument, default);
            // The same tokens as in the spec, so that a mistake in them is reported once.
            quote_spanned!(Span::mixed_site()=> .or(|| { let __value: #ty = #value; __value }))
        });
        let range = argument.range.as_ref().map(|range| {
            let bounds = range.numbers(private);
            quote_spanned!(Span::mixed_site()=> .check(#private::range::<#ty>(#bounds)))
        });
        let len = argument.len.as_ref().map(|len| {
            let bounds = len.counts(private);
            quote_spanned!(Span::mixed_site()=> .check(#private::len::<#ty>(#bounds)))
        });
        let pattern = argument.attr.pattern.as_ref().map(|pattern| {
            quote_spanned! {Span::mixed_site()=> .check({
                static __STRANDS_PATTERN: #private::Pattern = #private::Pattern::new(#pattern);
                #private::pattern::<#ty>(&__STRANDS_PATTERN)
            })}
        });
        quote_spanned!(Span::mixed_site()=> #private::argument::<#ty>(#name) #default #range #len #pattern)
    }

    fn default_value(&self, argument: &Argument, default: &DefaultValue) -> TokenStream {
        let private = self.private;
        match default {
            DefaultValue::OfType => {
                let ty = &argument.ty;
                quote_spanned!(self.at(ty)=> <#ty as #private::Default>::default())
            }
            DefaultValue::Expr(expr) => self.as_decoded(argument, expr),
        }
    }

    /// Converts an expression to the decoded type. A string literal is valid for any type that can be created from one.
    fn as_decoded(&self, argument: &Argument, expr: &Expr) -> TokenStream {
        let private = self.private;
        let ty = &argument.ty;
        if matches!(expr, Expr::Lit(ExprLit { lit: Lit::Str(_), .. })) {
            quote_spanned!(Span::mixed_site()=> #private::of_text::<#ty>(#expr))
        } else if argument.origin == Origin::ModelBorrowed {
            quote_spanned!(Span::mixed_site()=> #private::From::from(#expr))
        } else {
            quote!(#expr)
        }
    }

    /// Generates the `InjectedKey`s as lists of expressions: constant for `&T`, optional for `#[inject]`.
    pub(crate) fn requires(&self) -> (Vec<TokenStream>, Vec<TokenStream>) {
        let private = self.private;
        let of = |origin| self.tool.arguments.iter().filter(move |argument| argument.origin == origin);
        let injected = of(Origin::Injected).map(|Argument { ty, .. }| quote!(#private::injected::<#ty>().key));
        let owned =
            of(Origin::InjectedOwned).map(|Argument { ty, .. }| quote!((#private::owned_injected::<#ty>().key)()));
        (injected.collect(), owned.collect())
    }

    /// Generates the `ToolPolicy`.
    pub(crate) fn policy(&self) -> TokenStream {
        let private = self.private;
        let settings = &self.tool.settings;
        let timeout =
            settings.timeout_millis.map(|millis| quote!(.with_timeout(#private::Duration::from_millis(#millis))));
        let exclusive = settings.exclusive.map(|flag| {
            let on = flag.on;
            quote!(.with_exclusive(#on))
        });
        let approval = settings.approval.map(|flag| {
            let on = flag.on;
            quote!(.with_approval(#on))
        });
        let numeric_strings = settings.numeric_strings.map(|flag| {
            let on = flag.on;
            quote!(.with_numeric_strings(#on))
        });
        let retries = settings.retries.map(|retries| {
            let count = retries.count;
            quote!(.with_retries(#count))
        });
        quote_spanned! {Span::mixed_site()=>
            #private::ToolPolicy::new() #timeout #exclusive #approval #numeric_strings #retries
        }
    }

    /// Generates a reference to the `ToolLimiter` of the function, in a `static`; `None` for a tool without limits.
    pub(crate) fn limiter(&self) -> Option<TokenStream> {
        let private = self.private;
        let settings = &self.tool.settings;
        let concurrency = settings.concurrency.map(|calls| quote!(.concurrency(#calls)));
        let rate = settings.rate.map(
            |Rate { calls, interval_millis }| quote!(.rate(#calls, #private::Duration::from_millis(#interval_millis))),
        );
        if concurrency.is_none() && rate.is_none() {
            return None;
        }
        Some(quote_spanned! {Span::mixed_site()=> {
            static __STRANDS_LIMITER: #private::ToolLimiter = #private::ToolLimiter::new() #concurrency #rate;
            &__STRANDS_LIMITER
        }})
    }

    /// Generates the boxed future of a call: reads the arguments, gets injected values, calls, and converts the output.
    ///
    /// The code has `ctx`, `input` and for a method `shared`, an `&Arc<Self>`, in scope. `callee` is called with `receiver`
    /// before the arguments.
    pub(crate) fn call(
        &self,
        ctx: &Ident,
        input: &Ident,
        shared: Option<&Ident>,
        callee: &TokenStream,
        receiver: Option<&TokenStream>,
    ) -> TokenStream {
        let Self { tool, private } = self;
        let site = Span::mixed_site();
        let decode = self.decode(input);
        let injected = self.injected(ctx);
        let passed = self.passed();
        let wait = tool.sig.asyncness.map(|_| quote_spanned!(site=> .await));
        let output = self.output(&quote_spanned!(site=> #callee(#receiver #(#passed),*) #wait));
        // Report a future that is not `Send` at the function's name.
        let at = site.located_at(tool.sig.ident.span());
        let boxed = |body: &TokenStream| {
            let private = located(private, at);
            quote_spanned!(at=> #private::boxed(async move { #body }))
        };
        if tool.sig.asyncness.is_some() || tool.settings.inline.is_some_and(|flag| flag.on) {
            return boxed(&quote_spanned! {site=>
                #decode
                #injected
                #output
            });
        }
        let keep = shared.map(|shared| quote_spanned!(site=> let __owner = #private::Clone::clone(#shared);));
        let share = shared.map(|shared| quote_spanned!(site=> let #shared = &__owner;));
        boxed(&quote_spanned! {site=>
            #decode
            let __context = #private::Clone::clone(#ctx);
            #keep
            #private::on_blocking_pool(move || -> #private::Result<#private::ToolOutput, #private::ToolError> {
                let #ctx = &__context;
                #share
                #injected
                #output
            }).await
        })
    }

    fn decode(&self, input: &Ident) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let is_lenient = self.tool.settings.numeric_strings.is_some_and(|flag| flag.on);
        let numeric_strings = is_lenient.then(|| quote_spanned!(site=> .with_numeric_strings()));
        let whole = self.tool.arguments.iter().position(|argument| argument.origin == Origin::WholeInput);
        if let Some((at, argument)) = whole.and_then(|at| Some((at, self.tool.arguments.get(at)?))) {
            let (local, ty) = (local(at), &argument.ty);
            return quote_spanned!(site=> let #local = #private::whole_input::<#ty>() #numeric_strings.read(#input)?;);
        }
        let model = || self.tool.arguments.iter().enumerate().filter(|(_, argument)| argument.origin.is_model());
        let reads = model().map(|(at, argument)| {
            let (local, reader) = (local(at), self.reader(argument));
            quote_spanned!(site=> let #local = __arguments.take(#reader);)
        });
        let names = model().map(|(_, argument)| argument.name());
        let locals: Vec<Ident> = model().map(|(at, _)| local(at)).collect();
        if locals.is_empty() {
            return quote_spanned!(site=> #private::no_arguments(#input)?;);
        }
        // A separate block, so that none of its locals live as long as the call.
        quote_spanned! {site=>
            let (#(#locals,)*) = {
                let mut __arguments = #private::Arguments::new(#input) #numeric_strings;
                #(#reads)*
                let (#(#private::Some(#locals),)* true) = (#(#locals,)* __arguments.has_no_unknown(&[#(#names),*])) else {
                    return #private::Err(__arguments.into_error());
                };
                (#(#locals,)*)
            };
        }
    }

    fn injected(&self, ctx: &Ident) -> TokenStream {
        let private = self.private;
        let injected = self.tool.arguments.iter().enumerate().filter_map(|(at, argument)| {
            let (local, ty) = (local(at), &argument.ty);
            match argument.origin {
                Origin::Injected => Some(quote_spanned! {Span::mixed_site()=>
                    let #local = (#private::injected::<#ty>().get)(#ctx)?;
                }),
                Origin::InjectedOwned => Some(quote_spanned! {Span::mixed_site()=>
                    let #local = (#private::owned_injected::<#ty>().take)(#ctx)?;
                }),
                _ => None,
            }
        });
        injected.collect()
    }

    fn passed(&self) -> impl Iterator<Item = TokenStream> {
        self.tool.arguments.iter().enumerate().map(|(at, argument)| {
            let local = local(at);
            if argument.origin == Origin::ModelBorrowed { quote!(&#local) } else { quote!(#local) }
        })
    }

    /// Generates the conversion of the return value to a `ToolOutput`, by method resolution on its type.
    fn output(&self, called: &TokenStream) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let returned = self.tool.return_type().map(peel);
        if matches!(returned, Some(Type::Never(_))) {
            return quote_spanned! {site=>
                let __never: #private::Result<#private::ToolOutput, #private::ToolError> = match #called {};
                __never
            };
        }
        let at = returned.map_or(site, |ty| self.at(ty));
        let split = quote_spanned!(at=> split(__output));
        let convert = quote_spanned!(at=> convert(__value));
        quote_spanned! {site=>
            let __output = #called;
            #[allow(unused_imports)]
            use #private::{
                ConvertDataFirst as _, ConvertDataLast as _, ConvertExplicit as _, ConvertOther as _, ConvertSerialize as _,
                SplitResult as _, SplitValue as _,
            };
            match (&&#private::Tag::of(&__output)).#split {
                #private::Ok(__value) => (&&&&&#private::Tag::of(&__value)).#convert,
                #private::Err(__error) => #private::Err(__error),
            }
        }
    }

    /// Returns the span of a type, with the hygiene of generated code.
    fn at(&self, ty: &Type) -> Span {
        Span::mixed_site().located_at(peel(ty).span())
    }

    fn erased(&self, ty: &Type) -> Type {
        let lifetimes: Vec<Ident> =
            self.tool.sig.generics.lifetimes().map(|lifetime| lifetime.lifetime.ident.clone()).collect();
        let mut ty = ty.clone();
        crate::types::erase(&mut ty, &lifetimes);
        ty
    }
}

fn local(at: usize) -> Ident {
    format_ident!("__argument{at}", span = Span::mixed_site())
}
