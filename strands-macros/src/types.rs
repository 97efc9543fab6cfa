//! Walks through the types of a signature: what they name, what they borrow, and how they read inside another function,
//! where the signature's lifetimes have no names.

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Ident, Lifetime, Signature, Type, TypeReference};

/// Replaces the lifetimes that the signature declares by `'_`.
pub(crate) fn erase(ty: &mut Type, declared: &[Ident]) {
    struct Eraser<'a>(&'a [Ident]);
    impl VisitMut for Eraser<'_> {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if self.0.contains(&lifetime.ident) {
                lifetime.ident = Ident::new("_", lifetime.ident.span());
            }
        }
    }
    if !declared.is_empty() {
        Eraser(declared).visit_type_mut(ty);
    }
}

/// The first reference within a type.
pub(crate) fn first_reference(ty: &Type) -> Option<TypeReference> {
    struct Finder(Option<TypeReference>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0.get_or_insert_with(|| reference.clone());
        }
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}
    }
    let mut finder = Finder(None);
    finder.visit_type(ty);
    finder.0
}

/// Whether a type says `impl Trait` anywhere, and where.
pub(crate) fn first_impl_trait(ty: &Type) -> Option<syn::TypeImplTrait> {
    struct Finder(Option<syn::TypeImplTrait>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, found: &'ast syn::TypeImplTrait) {
            self.0.get_or_insert_with(|| found.clone());
            visit::visit_type_impl_trait(self, found);
        }
    }
    let mut finder = Finder(None);
    finder.visit_type(ty);
    finder.0
}

/// Whether a signature uses a type by this bare name.
pub(crate) fn names(sig: &Signature, name: &Ident) -> bool {
    struct Finder<'a>(&'a Ident, bool);
    impl<'ast> Visit<'ast> for Finder<'_> {
        fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
            self.1 |= path.qself.is_none() && path.path.is_ident(self.0);
            visit::visit_type_path(self, path);
        }
    }
    let mut finder = Finder(name, false);
    finder.visit_signature(sig);
    finder.1
}

/// The same type without references: `Option<&str>` becomes `Option<String>`.
pub(crate) fn owned(ty: &Type) -> Type {
    struct Owner;
    impl VisitMut for Owner {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Reference(reference) = ty {
                *ty = match crate::model::peel(&reference.elem) {
                    Type::Slice(slice) => {
                        let item = &slice.elem;
                        syn::parse_quote!(Vec<#item>)
                    }
                    Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => {
                        syn::parse_quote!(String)
                    }
                    other => other.clone(),
                };
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut ty = ty.clone();
    Owner.visit_type_mut(&mut ty);
    ty
}
