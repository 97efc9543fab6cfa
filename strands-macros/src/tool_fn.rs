//! Parsed representation of a tool function: its settings, and the source and attributes of each argument.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, FnArg, GenericParam, Ident, Meta, Pat, Receiver, ReturnType, Signature, Type, Visibility};

use crate::attr::{ArgAttr, Settings, ToolAttr};
use crate::bounds::Bounds;
use crate::docs::{self, Docs};
use crate::errors::Errors;
use crate::message;

/// A function as written. The body is not parsed.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body: proc_macro2::Group = input.parse()?;
        Ok(Self { attrs, vis, sig, body: body.into_token_stream() })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attr in &self.attrs {
            attr.to_tokens(tokens);
        }
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// Source of an argument's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The model, as the type written.
    Model,
    /// The model, decoded as `String` and borrowed as `&str`, or decoded as `Vec<T>` and borrowed as `&[T]`.
    ModelBorrowed,
    /// The model's whole input: `#[args]`.
    WholeInput,
    /// An injected value, borrowed: `&T`.
    Injected,
    /// An injected value, owned: `#[inject]`.
    InjectedOwned,
}

impl Origin {
    pub(crate) fn is_model(self) -> bool {
        matches!(self, Self::Model | Self::ModelBorrowed)
    }
}

/// One argument.
pub(crate) struct Argument {
    /// `None` if the parameter is a pattern, which is an error.
    pub(crate) ident: Option<Ident>,
    /// The whole parameter, for messages.
    pub(crate) param: syn::PatType,
    pub(crate) origin: Origin,
    /// The type that is decoded or injected: `String` for `&str`, `T` for `&T`.
    pub(crate) ty: Type,
    pub(crate) docs: Docs,
    /// The description from the `# Arguments` list.
    pub(crate) listed: Option<String>,
    pub(crate) attr: ArgAttr,
    pub(crate) range: Option<Bounds>,
    pub(crate) len: Option<Bounds>,
    pub(crate) args_span: Option<Span>,
    pub(crate) inject_span: Option<Span>,
}

impl Argument {
    /// Returns the name in the schema.
    pub(crate) fn name(&self) -> String {
        match (&self.attr.rename, &self.ident) {
            (Some(rename), _) => rename.value(),
            (None, Some(ident)) => ident.unraw().to_string(),
            (None, None) => String::new(),
        }
    }

    /// Returns the span of the name.
    pub(crate) fn name_span(&self) -> Span {
        match (&self.attr.rename, &self.ident) {
            (Some(rename), _) => rename.span(),
            (None, Some(ident)) => ident.span(),
            (None, None) => self.param.pat.span(),
        }
    }
}

/// A tool function.
pub(crate) struct ToolFn {
    pub(crate) attr: ToolAttr,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) docs: Docs,
    pub(crate) arguments: Vec<Argument>,
    /// `#[cfg]`s to repeat on the generated code.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) settings: Settings,
    /// The block's prefix of all tool names.
    pub(crate) prefix: String,
}

impl ToolFn {
    /// Parses the function, and removes the attributes of its parameters that rustc would reject.
    pub(crate) fn read(
        attr: ToolAttr,
        attrs: &[Attribute],
        vis: &Visibility,
        sig: &mut Signature,
        errors: &mut Errors,
    ) -> Self {
        let docs = Docs::read(attrs);
        let lifetimes: Vec<Ident> = sig
            .generics
            .params
            .iter()
            .filter_map(|param| match param {
                GenericParam::Lifetime(lifetime) => Some(lifetime.lifetime.ident.clone()),
                _ => None,
            })
            .collect();
        let mut receiver = None;
        let mut arguments = Vec::new();
        for input in &mut sig.inputs {
            match input {
                FnArg::Receiver(found) => receiver = Some(found.clone()),
                FnArg::Typed(param) => arguments.push(argument(param, &lifetimes, errors)),
            }
        }
        for entry in docs.arguments(errors) {
            let argument = arguments
                .iter_mut()
                .find(|argument| argument.ident.as_ref().is_some_and(|ident| ident.unraw() == entry.name));
            match argument {
                None => errors.add(entry.span, message::unknown_documented(&entry.name)),
                Some(argument) if argument.listed.is_some() => {
                    errors.add(entry.span, message::documented_twice(&entry.name));
                }
                Some(argument) if !argument.docs.is_empty() => {
                    errors.add(argument.docs.span().unwrap_or(entry.span), message::documented_twice(&entry.name));
                }
                Some(argument) => argument.listed = Some(entry.text),
            }
        }
        let settings = attr.settings;
        Self {
            attr,
            cfgs: attrs.iter().filter_map(cfg_only).collect(),
            attrs: attrs.to_vec(),
            vis: vis.clone(),
            sig: sig.clone(),
            receiver,
            docs,
            arguments,
            settings,
            prefix: String::new(),
        }
    }

    /// Returns the tool's name for models.
    pub(crate) fn tool_name(&self) -> String {
        let own = self.attr.name.as_ref().map_or_else(|| self.sig.ident.unraw().to_string(), syn::LitStr::value);
        format!("{}{own}", self.prefix)
    }

    /// Returns the span of the tool's name.
    pub(crate) fn tool_name_span(&self) -> Span {
        self.attr.name.as_ref().map_or_else(|| self.sig.ident.span(), syn::LitStr::span)
    }

    /// Returns the name of the tool's struct: `get_weather` → `GetWeather`. `None` if that is not an identifier.
    pub(crate) fn struct_name(&self) -> Option<Ident> {
        if let Some(struct_name) = &self.attr.struct_name {
            return Some(struct_name.clone());
        }
        let name = pascal_case(&self.sig.ident.unraw().to_string());
        let mut struct_name = syn::parse_str::<Ident>(&name).ok()?;
        struct_name.set_span(self.sig.ident.span());
        Some(struct_name)
    }

    /// Returns the return type, if one is written.
    pub(crate) fn return_type(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }
}

fn argument(param: &mut syn::PatType, lifetimes: &[Ident], errors: &mut Errors) -> Argument {
    let docs = Docs::read(&param.attrs);
    let mut attr = ArgAttr::default();
    let mut args_span = None;
    let mut inject_span = None;
    param.attrs.retain(|found| {
        let name = found.path().get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "arg" => match &found.meta {
                Meta::List(list) => attr.read(list.tokens.clone(), errors),
                other => errors.add_over(other, message::ARG_WITHOUT_KEYS),
            },
            "args" | "inject" => {
                if !matches!(found.meta, Meta::Path(_)) {
                    errors.add_over(&found.meta, message::TAKES_NO_KEYS);
                }
                *(if name == "args" { &mut args_span } else { &mut inject_span }) = Some(found.path().span());
            }
            "cfg" | "cfg_attr" => errors.add_over(&found.meta, message::ARG_CFG),
            _ => return !docs::is_doc(found),
        }
        false
    });
    let ident = match &*param.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        _ => None,
    };
    let (origin, mut ty) = if args_span.is_some() {
        (Origin::WholeInput, (*param.ty).clone())
    } else if inject_span.is_some() {
        (Origin::InjectedOwned, (*param.ty).clone())
    } else {
        origin_of(&param.ty)
    };
    crate::types::erase(&mut ty, lifetimes);
    let mut bounds = |expr: &Option<Expr>, read: fn(&Expr) -> syn::Result<Bounds>| {
        read(expr.as_ref()?).map_err(|error| errors.push(error)).ok()
    };
    let range = bounds(&attr.range, Bounds::of_number);
    let len = bounds(&attr.len, Bounds::of_length);
    Argument { ident, param: param.clone(), origin, ty, docs, listed: None, attr, range, len, args_span, inject_span }
}

/// Returns the source and the decoded type of an argument: owned values come from the model, borrowed values are injected,
/// except for the two borrowed types that are data, `&str` and `&[T]`.
fn origin_of(ty: &Type) -> (Origin, Type) {
    let Type::Reference(reference) = peel(ty) else { return (Origin::Model, ty.clone()) };
    match peel(&reference.elem) {
        Type::Slice(slice) => {
            let item = &slice.elem;
            (Origin::ModelBorrowed, syn::parse_quote_spanned!(item.span()=> ::std::vec::Vec<#item>))
        }
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => {
            (Origin::ModelBorrowed, syn::parse_quote_spanned!(path.span()=> ::std::string::String))
        }
        other => (Origin::Injected, other.clone()),
    }
}

/// Returns the type inside parentheses and inside the invisible groups of `macro_rules`.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// Returns the part of an attribute that enables or disables the item.
fn cfg_only(attr: &Attribute) -> Option<Attribute> {
    if attr.path().is_ident("cfg") {
        return Some(attr.clone());
    }
    if !attr.path().is_ident("cfg_attr") {
        return None;
    }
    let Meta::List(list) = &attr.meta else { return None };
    let metas = list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated).ok()?;
    let mut metas = metas.into_iter();
    let condition = metas.next()?;
    let cfgs: Vec<Meta> = metas.filter(|meta| meta.path().is_ident("cfg")).collect();
    if cfgs.is_empty() {
        return None;
    }
    Some(syn::parse_quote!(#[cfg_attr(#condition, #(#cfgs),*)]))
}

fn pascal_case(name: &str) -> String {
    let mut pascal = String::with_capacity(name.len());
    for word in name.split('_') {
        let mut letters = word.chars();
        pascal.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        pascal.push_str(letters.as_str());
    }
    pascal
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn struct_names_are_pascal_case() {
        for (name, struct_name) in [
            ("get_weather", "GetWeather"),
            ("h", "H"),
            ("__private", "Private"),
            ("get_2d", "Get2d"),
            ("fooBar", "FooBar"),
        ] {
            assert_eq!(pascal_case(name), struct_name);
        }
    }

    #[test]
    fn repeats_only_the_cfg_part_of_cfg_attr() {
        assert!(cfg_only(&parse_quote!(#[inline])).is_none());
        assert!(cfg_only(&parse_quote!(#[cfg_attr(test, inline)])).is_none());
        let both = cfg_only(&parse_quote!(#[cfg_attr(test, inline, cfg(unix))]));
        assert_eq!(
            both.map(|attr| attr.to_token_stream().to_string()),
            Some("# [cfg_attr (test , cfg (unix))]".to_owned())
        );
    }

    #[test]
    fn references_determine_the_origin() {
        assert!(origin_of(&parse_quote!(String)).0 == Origin::Model);
        assert!(origin_of(&parse_quote!((&str))).0 == Origin::ModelBorrowed);
        assert!(origin_of(&parse_quote!(&[u8])).0 == Origin::ModelBorrowed);
        assert!(origin_of(&parse_quote!(&[u8; 4])).0 == Origin::Injected);
        assert!(origin_of(&parse_quote!(&crate::str)).0 == Origin::Injected);
    }
}
