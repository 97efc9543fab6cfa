//! Traversal of the types in a signature: names, references, and erased lifetimes for use in another function.

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Ident, Lifetime, Signature, Type, TypeReference};

/// Replaces the declared lifetimes of a signature with `'_`.
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

/// Returns the first reference in a type.
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

/// A pointer or lock of the standard library that shares a value between threads or owners.
pub(crate) struct Shared {
    /// The whole type: `Arc<Mutex<User>>`.
    pub(crate) ty: Type,
    /// The type of the injected value: `Mutex<User>`.
    pub(crate) value: Type,
    /// True for an `Arc`, which `#[inject]` can take.
    pub(crate) is_arc: bool,
}

/// Returns the first sharing pointer or lock in a type. `Arc<str>` and `Arc<[T]>` are strings and lists.
pub(crate) fn first_shared(ty: &Type) -> Option<Shared> {
    struct Finder(Option<Shared>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
            if let (None, Some((name, value))) = (&self.0, shared(path)) {
                let ty = Type::Path(path.clone());
                let value = match name.to_string().as_str() {
                    "Arc" | "Rc" | "Weak" => value.clone(),
                    // Tools run on several threads.
                    "RefCell" => syn::parse_quote!(Mutex<#value>),
                    _ => ty.clone(),
                };
                self.0 = Some(Shared { is_arc: name == "Arc", ty, value });
            }
            visit::visit_type_path(self, path);
        }
    }
    let mut finder = Finder(None);
    finder.visit_type(ty);
    finder.0
}

/// Returns the type without sharing pointers and locks.
pub(crate) fn unshared(ty: &Type) -> Type {
    struct Owner;
    impl VisitMut for Owner {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            while let Some(value) = match &*ty {
                Type::Path(path) => shared(path).map(|(_, value)| value.clone()),
                _ => None,
            } {
                *ty = value;
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut ty = ty.clone();
    Owner.visit_type_mut(&mut ty);
    ty
}

fn shared(path: &syn::TypePath) -> Option<(&Ident, &Type)> {
    let last = path.path.segments.last()?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let Some(syn::GenericArgument::Type(value)) = arguments.args.first() else { return None };
    let is_shared = ["Arc", "Rc", "Weak", "Mutex", "RwLock", "RefCell"].iter().any(|name| last.ident == name);
    let is_data = match crate::tool_fn::peel(value) {
        Type::Slice(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    };
    (is_shared && !is_data).then_some((&last.ident, value))
}

/// Returns the type to take instead of a reference to data of the standard library: `&str` for `String`, `&[T]` for
/// `Vec<T>`, and otherwise the type itself. `None` for other types.
pub(crate) fn data_in_place_of_reference(ty: &Type) -> Option<Type> {
    // Data can't contain borrowed or shared parts either.
    let data = || unshared(&owned(ty));
    let Type::Path(path) = ty else { return matches!(ty, Type::Array(_) | Type::Tuple(_)).then(data) };
    let first = path.path.segments.first()?;
    let last = path.path.segments.last()?;
    let is_std = path.qself.is_none()
        && (path.path.segments.len() == 1 || ["std", "alloc", "core"].iter().any(|name| first.ident == name));
    let generics = match &last.arguments {
        syn::PathArguments::None => 0,
        syn::PathArguments::AngleBracketed(arguments) => arguments.args.len(),
        syn::PathArguments::Parenthesized(_) => return None,
    };
    let name = last.ident.to_string();
    let is_data = match generics {
        0 => is_plain_data(&name),
        1 => ["Vec", "Option", "VecDeque", "LinkedList", "BinaryHeap", "HashSet", "BTreeSet"].contains(&name.as_str()),
        2 => ["HashMap", "BTreeMap"].contains(&name.as_str()),
        _ => false,
    };
    if !is_std || !is_data {
        return None;
    }
    if name == "String" {
        return Some(syn::parse_quote!(&str));
    }
    if let ("Vec", syn::PathArguments::AngleBracketed(arguments)) = (name.as_str(), &last.arguments) {
        let syn::GenericArgument::Type(item) = arguments.args.first()? else { return None };
        let item = unshared(&owned(item));
        return Some(syn::parse_quote!(&[#item]));
    }
    Some(data())
}

fn is_plain_data(name: &str) -> bool {
    matches!(
        name,
        "String"
            | "PathBuf"
            | "OsString"
            | "Duration"
            | "SystemTime"
            | "IpAddr"
            | "Ipv4Addr"
            | "Ipv6Addr"
            | "SocketAddr"
            | "bool"
            | "char"
            | "f32"
            | "f64"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
    )
}

/// Returns the first `impl Trait` in a type.
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

/// Returns true if a signature uses a type by this bare name.
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

/// Returns the type without references: `Option<&str>` becomes `Option<String>`.
pub(crate) fn owned(ty: &Type) -> Type {
    struct Owner;
    impl VisitMut for Owner {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Reference(reference) = ty {
                *ty = match crate::tool_fn::peel(&reference.elem) {
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
