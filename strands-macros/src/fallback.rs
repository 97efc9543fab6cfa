//! Code emitted beside compile errors: enough for the rest of the user's program to compile, so that one mistake is one
//! message.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Ident, Token, Visibility};

use crate::errors::Errors;
use crate::expand;
use crate::function::tool_struct;
use crate::message;
use crate::tool_fn::{Function, ToolFn};

/// Emits the function, its struct, and a stub of the impl.
pub(crate) fn function(tool: &ToolFn, mut function: Function, errors: Errors) -> TokenStream {
    let errors = errors.into_tokens();
    function.attrs.retain(|attr| !crate::validate::is_tool_attribute(attr));
    // rustc rejects these too, and would repeat the message.
    function.sig.variadic = None;
    let in_impl = function.sig.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_)));
    let struct_name = tool.struct_name().filter(|struct_name| {
        let is_free = !crate::types::names(&tool.sig, struct_name) && *struct_name != function.sig.ident;
        !in_impl && is_free
    });
    let Some(struct_name) = struct_name else { return quote!(#errors #function) };
    let private = expand::private(tool.attr.krate.as_ref());
    let item = tool_struct(tool, &struct_name);
    let cfgs = &tool.cfgs;
    let unused = |name| Ident::new(name, Span::mixed_site());
    let head = expand::call_head(&private, &unused("_ctx"), &unused("_input"));
    quote_spanned! {Span::mixed_site()=>
        #errors
        #[allow(dead_code)]
        #function
        #item
        #(#cfgs)*
        const _: () = {
            #[automatically_derived]
            #[allow(unused_qualifications)]
            impl #private::Tool for #struct_name {
                fn spec(&self) -> &#private::ToolSpec {
                    loop {}
                }
                #head {
                    loop {}
                }
            }
        };
    }
}

/// Emits the item unchanged with a message: it is not a function, or its signature has a syntax error.
pub(crate) fn not_a_function(item: &TokenStream, error: syn::Error, mut errors: Errors) -> TokenStream {
    match is_function.parse2(item.clone()) {
        Ok(true) => errors.push(error),
        Ok(false) | Err(_) => errors.add_over(first_after_attributes(item), message::NOT_A_FUNCTION),
    }
    let errors = errors.into_tokens();
    quote!(#errors #item)
}

/// Returns true if the item is a function with a body.
fn is_function(input: ParseStream<'_>) -> syn::Result<bool> {
    input.call(Attribute::parse_outer)?;
    input.parse::<Visibility>()?;
    let mut found = false;
    while input.peek(Token![const])
        || input.peek(Token![async])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
        || input.peek(syn::LitStr)
    {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    if input.peek(Token![fn]) {
        input.parse::<Token![fn]>()?;
        input.parse::<Ident>()?;
        found = true;
    }
    // A function without a body belongs to a trait and can't be called.
    let has_body = {
        let rest: TokenStream = input.parse()?;
        rest.into_iter().last().is_some_and(|last| {
            matches!(last, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace)
        })
    };
    Ok(found && has_body)
}

/// Returns the item's tokens without its attributes, where a message about the item belongs.
pub(crate) fn first_after_attributes(item: &TokenStream) -> TokenStream {
    let skip = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<TokenStream>()
    };
    skip.parse2(item.clone()).unwrap_or_else(|_| item.clone())
}
