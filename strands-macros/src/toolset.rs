//! `#[toolset]` on an impl block: the block unchanged, and tools for its marked methods. They share the value in one
//! `Arc`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta, ReceiverKind, Token, Type};

use crate::attr::{ToolAttr, ToolsetAttr};
use crate::errors::Errors;
use crate::expand::{self, Expander};
use crate::tool_fn::{ToolFn, peel};
use crate::{fallback, function, message, validate};

/// Expands `#[toolset(keys)] item`.
pub(crate) fn expand(keys: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let attr = ToolsetAttr::read(keys, &mut errors);
    if !is_impl.parse2(item.clone()).unwrap_or(false) {
        errors.add_over(fallback::first_after_attributes(item), message::NOT_AN_IMPL);
        let errors = errors.into_tokens();
        return quote!(#errors #item);
    }
    let mut block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => {
            errors.push(error);
            let errors = errors.into_tokens();
            return quote!(#errors #item);
        }
    };
    if let Some((path, _)) = &block.trait_ {
        errors.add_over(path, message::TRAIT_IMPL);
        let errors = errors.into_tokens();
        return quote!(#errors #block);
    }
    let tools = read_methods(&mut block, &attr, &mut errors);
    if tools.is_empty() && errors.is_empty() {
        errors.add(block.impl_token.span, message::NO_TOOLS);
    }
    let private = expand::private(attr.krate.as_ref());
    let list = if errors.is_empty() {
        let tools = tools.iter().map(|tool| method_tool(tool, &private));
        quote_spanned! {Span::mixed_site()=>
            let mut __tools: #private::Vec<#private::Arc<dyn #private::Tool>> = #private::Vec::new();
            #(#tools)*
            __tools
        }
    } else {
        quote_spanned!(Span::mixed_site()=> loop {})
    };
    let errors = errors.into_tokens();
    let imp = list_impl(&block, &attr, &private, &list);
    quote! {
        #errors
        #block
        #imp
    }
}

fn is_impl(input: ParseStream<'_>) -> syn::Result<bool> {
    input.call(Attribute::parse_outer)?;
    input.parse::<Option<Token![unsafe]>>()?;
    let found = input.peek(Token![impl]);
    input.parse::<TokenStream>()?;
    Ok(found)
}

fn read_methods(block: &mut ItemImpl, attr: &ToolsetAttr, errors: &mut Errors) -> Vec<ToolFn> {
    let mut tools = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(keys) = take_tool_attribute(method, errors) else { continue };
        let own = ToolAttr::read(keys, errors);
        let attrs: Vec<Attribute> = method.attrs.iter().filter(|attr| !is_mark(attr)).cloned().collect();
        let mut tool = ToolFn::read(own, &attrs, &method.vis, &mut method.sig, errors);
        tool.settings = tool.attr.settings.or(attr.settings);
        tool.prefix = attr.prefix.as_ref().map(syn::LitStr::value).unwrap_or_default();
        validate::method(&tool, errors);
        method.attrs.retain(|attr| is_mark(attr) || !validate::is_tool_attribute(attr));
        method.attrs.push(expand::allowed_on_functions());
        tools.push(tool);
    }
    tools
}

/// Takes the keys from the first `#[tool(..)]` of a method, and marks it as processed.
fn take_tool_attribute(method: &mut ImplItemFn, errors: &mut Errors) -> Option<TokenStream> {
    let at = method.attrs.iter().position(validate::is_tool_attribute)?;
    let attr = method.attrs.remove(at);
    let (path, mark) = (attr.path(), Ident::new(function::READ_BY_TOOLSET, Span::mixed_site()));
    method.attrs.insert(at, syn::parse_quote!(#[#path(#mark)]));
    match attr.meta {
        Meta::Path(_) => Some(TokenStream::new()),
        Meta::List(list) => Some(list.tokens),
        Meta::NameValue(_) => {
            errors.add_over(&attr, message::TOOL_WITH_VALUE);
            Some(TokenStream::new())
        }
    }
}

/// Returns true for the `#[tool]` that remains on a method: it expands to the method unchanged, and keeps the import used.
fn is_mark(attr: &Attribute) -> bool {
    validate::is_tool_attribute(attr)
        && attr.parse_args::<Ident>().is_ok_and(|ident| ident == function::READ_BY_TOOLSET)
}

/// Generates one `tools.push(..)`.
fn method_tool(tool: &ToolFn, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let expander = Expander { tool, private };
    let spec = expander.spec();
    let policy = expander.policy();
    let limiter = expander.limiter().map(|limiter| quote_spanned!(site=> .with_limiter(#limiter)));
    let (injected, owned) = expander.requires();
    let shared = format_ident!("__shared", span = site);
    let (ctx, input) = (format_ident!("__ctx", span = site), format_ident!("__input", span = site));
    let name = &tool.sig.ident;
    let receiver = receiver(tool, &shared, private);
    let call = expander.call(&ctx, &input, Some(&shared), &quote!(Self::#name), receiver.as_ref());
    let cfgs = &tool.cfgs;
    quote_spanned! {site=>
        #(#cfgs)*
        __tools.push(#private::Arc::new(#private::MethodTool::new(
            #private::Clone::clone(&#shared),
            #spec,
            #private::injected_keys([#(#private::Some(#injected),)* #(#owned),*]),
            #policy,
            |#shared, #ctx, #input| #call,
        ) #limiter));
    }
}

/// Generates the method's receiver from `shared: &Arc<Self>`.
fn receiver(tool: &ToolFn, shared: &Ident, private: &TokenStream) -> Option<TokenStream> {
    let is_self = |ty: &Type| matches!(peel(ty), Type::Path(path) if path.path.is_ident("Self"));
    let site = Span::mixed_site();
    Some(match &tool.receiver.as_ref()?.kind {
        ReceiverKind::Typed(_, ty) => match peel(ty) {
            Type::Reference(reference) if is_self(&reference.elem) => quote_spanned!(site=> &**#shared,),
            Type::Reference(_) => quote_spanned!(site=> #shared,),
            _ => quote_spanned!(site=> #private::Clone::clone(#shared),),
        },
        _ => quote_spanned!(site=> &**#shared,),
    })
}

/// Generates `impl Toolset`, or with `into` the inherent method that returns the tools.
fn list_impl(block: &ItemImpl, attr: &ToolsetAttr, private: &TokenStream, list: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let cfgs = block.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let (impl_generics, _, where_clause) = block.generics.split_for_impl();
    let self_ty = &block.self_ty;
    let mut predicates = where_clause.map(|clause| clause.predicates.clone()).unwrap_or_default();
    if !predicates.empty_or_trailing() {
        predicates.push_punct(Token![,](site));
    }
    let list_type = quote_spanned!(site=> #private::Vec<#private::Arc<dyn #private::Tool>>);
    // Report at the type that it can't be shared.
    let at = site.located_at(peel(self_ty).span());
    let private_at = expand::located(private, at);
    let shareable = quote_spanned!(at=> Self: #private_at::Send + #private_at::Sync + 'static);
    let allow = quote!(#[allow(deprecated, unused_qualifications, unreachable_code, clippy::diverging_sub_expression)]);
    if let Some((vis, name)) = &attr.into {
        return quote_spanned! {site=>
            #(#cfgs)*
            #[automatically_derived]
            #allow
            impl #impl_generics #self_ty where #predicates {
                /// Returns the tools of this block. They share the value.
                #vis fn #name(self: &#private::Arc<Self>) -> #list_type
                where
                    #shareable,
                {
                    let __shared = #private::Clone::clone(self);
                    #list
                }
            }
        };
    }
    quote_spanned! {site=>
        #(#cfgs)*
        #[automatically_derived]
        #allow
        impl #impl_generics #private::Toolset for #self_ty where #predicates #shareable {
            fn into_tools(self) -> #list_type {
                let __shared = #private::Arc::new(self);
                #list
            }
        }
    }
}
