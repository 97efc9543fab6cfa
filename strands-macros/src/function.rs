//! `#[tool]` on a function: the function unchanged, and a unit struct that is its tool.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::attr::ToolAttr;
use crate::errors::Errors;
use crate::expand::{self, Expander};
use crate::tool_fn::{Function, ToolFn};
use crate::{fallback, validate};

/// The key that `#[toolset]` leaves on the methods it has processed.
pub(crate) const READ_BY_TOOLSET: &str = "__read_by_toolset";

/// Expands `#[tool(keys)] item`.
pub(crate) fn expand(keys: TokenStream, item: &TokenStream) -> TokenStream {
    if syn::parse2::<Ident>(keys.clone()).is_ok_and(|key| key == READ_BY_TOOLSET) {
        return item.clone();
    }
    let mut errors = Errors::default();
    let attr = ToolAttr::read(keys, &mut errors);
    let mut function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => return fallback::not_a_function(item, error, errors),
    };
    let tool = ToolFn::read(attr, &function.attrs, &function.vis, &mut function.sig, &mut errors);
    validate::function(&tool, &mut errors);
    if !errors.is_empty() {
        return fallback::function(&tool, function, errors);
    }
    let Some(struct_name) = tool.struct_name() else { return quote!(#function) };
    function.attrs.push(expand::allowed_on_functions());
    let private = expand::private(tool.attr.krate.as_ref());
    let item = tool_struct(&tool, &struct_name);
    let imp = tool_impl(&tool, &struct_name, &private);
    quote! {
        #function
        #item
        #imp
    }
}

/// Generates the unit struct.
pub(crate) fn tool_struct(tool: &ToolFn, struct_name: &Ident) -> TokenStream {
    let cfgs = &tool.cfgs;
    let deprecated = tool.attrs.iter().filter(|attr| attr.path().is_ident("deprecated"));
    let vis = &tool.vis;
    let name = &tool.sig.ident;
    let about =
        if name.unraw() == *name { format!("Tool for [`{name}`].") } else { format!("Tool for `{}`.", name.unraw()) };
    let docs = tool.docs.attributes();
    // Report name clashes at the function's name.
    let at = Span::call_site().located_at(struct_name.span());
    let item = quote_spanned!(at=> #[allow(clippy::exhaustive_structs)] #vis struct #struct_name;);
    quote! {
        #(#cfgs)*
        #(#deprecated)*
        #[doc = #about]
        #[doc = ""]
        #docs
        #[::core::prelude::v1::derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::fmt::Debug,
            ::core::default::Default,
        )]
        #item
    }
}

fn tool_impl(tool: &ToolFn, struct_name: &Ident, private: &TokenStream) -> TokenStream {
    let expander = Expander { tool, private };
    let cfgs = &tool.cfgs;
    let spec = expander.spec();
    let requires = requires(&expander);
    let policy = expander.policy();
    let limiter = expander.limiter().map(|limiter| {
        quote_spanned! {Span::mixed_site()=>
            fn limiter(&self) -> #private::Option<&#private::ToolLimiter> {
                #private::Some(#limiter)
            }
        }
    });
    let site = Span::mixed_site();
    let (ctx, input) = (Ident::new("__ctx", site), Ident::new("__input", site));
    let function = &tool.sig.ident;
    let call = expander.call(&ctx, &input, None, &quote!(#function), None);
    let head = expand::call_head(private, &ctx, &input);
    quote_spanned! {site=>
        #(#cfgs)*
        const _: () = {
            #[automatically_derived]
            #[allow(deprecated, unused_qualifications, unreachable_code, clippy::diverging_sub_expression)]
            impl #private::Tool for #struct_name {
                fn spec(&self) -> &#private::ToolSpec {
                    static __STRANDS_SPEC: #private::LazyLock<#private::ToolSpec> =
                        #private::LazyLock::new(|| #spec);
                    &__STRANDS_SPEC
                }
                #requires
                fn policy(&self) -> #private::ToolPolicy {
                    #policy
                }
                #limiter
                fn checks_input(&self) -> bool {
                    true
                }
                #head {
                    #call
                }
            }
        };
    }
}

fn requires(expander: &Expander<'_>) -> Option<TokenStream> {
    let private = expander.private;
    let (injected, owned) = expander.requires();
    if injected.is_empty() && owned.is_empty() {
        return None;
    }
    let keys = if owned.is_empty() {
        quote_spanned! {Span::mixed_site()=>
            const __STRANDS_KEYS: &[#private::InjectedKey] = &[#(#injected),*];
            __STRANDS_KEYS
        }
    } else {
        quote_spanned! {Span::mixed_site()=>
            static __STRANDS_KEYS: #private::LazyLock<#private::Vec<#private::InjectedKey>> =
                #private::LazyLock::new(|| #private::injected_keys([#(#private::Some(#injected),)* #(#owned),*]));
            &__STRANDS_KEYS
        }
    };
    Some(quote_spanned! {Span::mixed_site()=>
        fn requires(&self) -> &[#private::InjectedKey] {
            #keys
        }
    })
}
