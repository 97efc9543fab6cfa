//! Checks of a tool function, with an error at each place. Checks of types are left to the traits in `strands-core`, whose
//! messages rustc shows at the type.

use syn::spanned::Spanned;
use syn::{GenericParam, Receiver, ReceiverKind, Safety, Signature, Type};

use crate::attr::Flag;
use crate::errors::Errors;
use crate::message;
use crate::tool_fn::{Argument, Origin, ToolFn, peel};
use crate::types;

/// Checks a function outside of an impl block.
pub(crate) fn function(tool: &ToolFn, errors: &mut Errors) {
    if let Some(receiver) = &tool.receiver {
        errors.add(receiver.self_token.span, message::SELF_OUTSIDE_TOOLSET);
    }
    match tool.struct_name() {
        Some(struct_name) if tool.attr.struct_name.is_some() || struct_name != tool.sig.ident => {
            if types::names(&tool.sig, &struct_name) {
                errors.add(struct_name.span(), message::struct_name_in_signature(&struct_name.to_string()));
            }
        }
        _ => errors.add(tool.sig.ident.span(), message::no_struct_name(&tool.sig.ident.to_string())),
    }
    common(tool, errors);
}

/// Checks a method in a `#[toolset]` block.
pub(crate) fn method(tool: &ToolFn, errors: &mut Errors) {
    if let Some(receiver) = &tool.receiver {
        self::receiver(receiver, errors);
    }
    if let Some(span) = tool.attr.struct_span {
        errors.add(span, message::METHOD_HAS_NO_STRUCT);
    }
    if let Some(span) = tool.attr.krate_span {
        errors.add(span, message::METHOD_HAS_NO_CRATE);
    }
    common(tool, errors);
}

fn receiver(receiver: &Receiver, errors: &mut Errors) {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, Some(mutable)) => errors.add(mutable.span, message::SELF_MUT),
        ReceiverKind::Typed(_, ty) => match peel(ty) {
            Type::Reference(reference) => {
                if let Some(mutable) = reference.mutability {
                    errors.add(mutable.span, message::SELF_MUT);
                }
            }
            Type::Path(path) if path.path.is_ident("Self") => {
                errors.add(receiver.self_token.span, message::SELF_BY_VALUE);
            }
            _ => {}
        },
        ReceiverKind::Value => errors.add(receiver.self_token.span, message::SELF_BY_VALUE),
        _ => {}
    }
}

fn common(tool: &ToolFn, errors: &mut Errors) {
    ordinary(&tool.sig, errors);
    if tool.attrs.iter().any(is_tool_attribute) {
        errors.add(tool.sig.ident.span(), message::TOOL_TWICE);
    }
    if tool.attr.description.is_none() && tool.docs.description(&Default::default()).is_none() {
        errors.add(tool.sig.ident.span(), message::NO_DESCRIPTION);
    }
    if !is_tool_name(&tool.tool_name()) {
        errors.add(tool.tool_name_span(), message::BAD_TOOL_NAME);
    }
    if let (Some(inline), Some(_)) = (tool.attr.settings.inline, tool.sig.asyncness)
        && inline.on
    {
        errors.add(inline.span, message::INLINE_ASYNC);
    }
    let is_on = |flag: Option<Flag>| flag.is_some_and(|flag| flag.on);
    if let Some(retries) = tool.settings.retries
        && retries.count > 0
        && !is_on(tool.settings.idempotent)
        && !is_on(tool.settings.read_only)
    {
        // A default of the block is reported at the method that it does not fit.
        let at = if tool.attr.settings.retries.is_some() { retries.span } else { tool.sig.ident.span() };
        errors.add(at, message::RETRIES_NOT_REPEATABLE);
    }
    if let Some(numeric_strings) = tool.attr.settings.numeric_strings
        && numeric_strings.on
        && !tool.arguments.iter().any(|argument| argument.origin.is_model() || argument.origin == Origin::WholeInput)
    {
        errors.add(numeric_strings.span, message::NUMERIC_WITHOUT_ARGUMENTS);
    }
    if let Some(output) = tool.attr.settings.output
        && output.on
        && tool.return_type().is_none_or(|ty| types::first_impl_trait(ty).is_some())
    {
        errors.add(output.span, message::OUTPUT_UNNAMED);
    }
    for argument in &tool.arguments {
        self::argument(argument, errors);
    }
    together(&tool.arguments, errors);
}

/// Returns true for a `#[tool]` attribute, imported by any path.
pub(crate) fn is_tool_attribute(attr: &syn::Attribute) -> bool {
    attr.path().segments.last().is_some_and(|segment| segment.ident == "tool")
}

fn ordinary(sig: &Signature, errors: &mut Errors) {
    let mut reject = |span, keyword| errors.add(span, message::not_ordinary(keyword));
    if let Some(keyword) = &sig.constness {
        reject(keyword.span, "const");
    }
    if let Safety::Unsafe(keyword) = &sig.safety {
        reject(keyword.span, "unsafe");
    }
    if let Some(abi) = &sig.abi {
        reject(abi.extern_token.span, "extern");
    }
    if let Some(variadic) = &sig.variadic {
        reject(variadic.span(), "...");
    }
    for param in &sig.generics.params {
        match param {
            GenericParam::Lifetime(_) => {}
            GenericParam::Type(param) => errors.add(param.ident.span(), message::generic(&param.ident.to_string())),
            GenericParam::Const(param) => errors.add(param.ident.span(), message::generic(&param.ident.to_string())),
        }
    }
}

fn argument(argument: &Argument, errors: &mut Errors) {
    let Some(ident) = &argument.ident else {
        errors.add_over(&argument.param.pat, message::ARG_PATTERN);
        return;
    };
    let written = peel(&argument.param.ty);
    if let Some(found) = types::first_impl_trait(written) {
        errors.add_over(found, message::ARG_IMPL_TRAIT);
        return;
    }
    if let (Some(_), Some(injected)) = (argument.args_span, argument.inject_span) {
        errors.add(injected, message::ARGS_AND_INJECT);
        return;
    }
    if let Type::Reference(reference) = written {
        if let Some(injected) = argument.inject_span {
            errors.add(injected, message::INJECT_ON_REFERENCE);
            return;
        }
        if argument.args_span.is_some() {
            errors.add(reference.and_token.span, message::ARGS_NOT_OWNED);
            return;
        }
        if let Some(mutable) = reference.mutability {
            errors.add(mutable.span, message::ARG_MUT_REFERENCE);
            return;
        }
        if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
            errors.add(lifetime.span(), message::ARG_STATIC_REFERENCE);
            return;
        }
    }
    match argument.origin {
        Origin::Model | Origin::ModelBorrowed | Origin::WholeInput => {
            if let Some(reference) = types::first_reference(&argument.ty) {
                let owned = types::owned(&argument.ty);
                errors.add(reference.and_token.span, message::nested_reference(&plain(&owned)));
            }
            if argument.origin.is_model()
                && let Some(shared) = types::first_shared(&argument.ty)
            {
                errors.add_over(&shared.ty, shared_from_model(written, &shared));
            }
        }
        Origin::Injected => {
            if let Some(data) = types::data_in_place_of_reference(peel(&argument.ty)) {
                errors.add_over(written, message::borrowed_data(&plain(&argument.ty), &plain(&data)));
            }
            injected_option(argument, errors);
        }
        Origin::InjectedOwned => injected_option(argument, errors),
    }
    if argument.origin == Origin::WholeInput
        && let Some(key) = argument.attr.given.first()
    {
        errors.add(key.span(), message::ARGS_WITH_OPTIONS);
    }
    if argument.origin.is_model() {
        let name = argument.name();
        let without = name.trim_start_matches('_');
        if argument.attr.rename.is_none() && without.len() < name.len() {
            let without = if without.is_empty() { "name" } else { without };
            errors.add(ident.span(), message::underscore(&name, without));
        } else if !is_arg_name(&name) {
            errors.add(argument.name_span(), message::BAD_ARG_NAME);
        }
    }
    if let Some(pattern) = &argument.attr.pattern
        && let Err(error) = regex_lite::Regex::new(&pattern.value())
    {
        errors.add(pattern.span(), message::bad_pattern(&error.to_string()));
    }
}

fn injected_option(argument: &Argument, errors: &mut Errors) {
    for key in &argument.attr.given {
        errors.add(key.span(), message::injected_option(&key.to_string()));
    }
}

fn shared_from_model(ty: &Type, shared: &types::Shared) -> String {
    let (found, injected) = (plain(&shared.ty), plain(&shared.value));
    let data = plain(&types::unshared(ty));
    if shared.is_arc {
        message::arc_from_model(&found, &injected, &data)
    } else {
        message::shared_from_model(&found, &injected, &data)
    }
}

/// Checks arguments against each other.
fn together(arguments: &[Argument], errors: &mut Errors) {
    let mut names: Vec<String> = Vec::new();
    let mut whole = None;
    let mut others = 0_usize;
    for argument in arguments {
        if argument.origin == Origin::WholeInput {
            if whole.is_some() || others > 0 {
                errors.add(argument.args_span.unwrap_or_else(|| argument.name_span()), message::ARGS_NOT_ALONE);
            }
            whole = Some(());
        } else if argument.origin.is_model() && argument.ident.is_some() {
            if whole.is_some() {
                errors.add(argument.name_span(), message::ARGS_NOT_ALONE);
            }
            others += 1;
            let name = argument.name();
            if names.contains(&name) {
                errors.add(argument.name_span(), message::duplicate_name(&name));
            }
            names.push(name);
        }
    }
}

/// Returns true for a name that every provider accepts for a tool.
pub(crate) fn is_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn is_arg_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Formats a type without the spaces of its tokens.
fn plain(ty: &Type) -> String {
    let text = quote::ToTokens::to_token_stream(ty).to_string();
    [
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        (" :: ", "::"),
        (":: ", "::"),
        (" ;", ";"),
        ("& ", "&"),
    ]
    .iter()
    .fold(text, |text, (spaced, tight)| text.replace(spaced, tight))
}
