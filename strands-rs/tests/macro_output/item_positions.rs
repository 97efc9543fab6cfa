//! Tools can be defined wherever functions can.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]
#![deny(warnings)]

use strands::{Tool, Toolset, tool, toolset};

mod outer {
    pub(crate) mod inner {
        /// In a module.
        #[strands::tool]
        pub(in crate::outer) fn within() {}

        /// In a module, by the path of the attribute.
        #[::strands::tool]
        pub(crate) fn by_path() {}
    }

    pub(crate) fn name() -> String {
        inner::within();
        strands::Tool::spec(&inner::Within).name.clone()
    }
}

/// An injected value.
struct Injected<T>(T);

macro_rules! echo {
    ($name:ident, $handle:ident, $ty:ty, $default:expr, $what:literal) => {
        #[doc = concat!("Echoes ", $what, ".")]
        #[tool(struct = $handle)]
        fn $name(#[arg(default = $default)] value: $ty, injected: &Injected<$ty>) -> $ty {
            let _ = &injected.0;
            value
        }
    };
}

echo!(echo_number, EchoNumber, u8, 7, "a number");
echo!(echo_list, EchoList, Vec<u8>, vec![1], "a list");

macro_rules! set {
    ($set:ident, $method:ident) => {
        struct $set;

        #[toolset]
        impl $set {
            /// In a macro expansion.
            #[tool]
            fn $method(&self, value: u8) -> u8 {
                value
            }
        }
    };
}

set!(Made, made);

fn main() {
    /// In a function body.
    #[tool]
    fn local(x: u8) -> u8 {
        x
    }

    struct LocalSet;

    #[toolset]
    impl LocalSet {
        /// In a function body.
        #[tool]
        fn method(&self) -> u8 {
            local(1)
        }
    }

    outer::inner::by_path();
    assert_eq!(outer::name(), "within");
    assert_eq!(outer::inner::ByPath.spec().name, "by_path");
    assert_eq!(EchoNumber.spec().description, "Echoes a number.");
    assert_eq!(EchoNumber.spec().input_schema["properties"]["value"]["default"], 7);
    assert_eq!(EchoList.spec().input_schema["properties"]["value"]["default"][0], 1);
    assert_eq!((echo_number(1, &Injected(2)), echo_list(vec![], &Injected(vec![]))), (1, vec![]));
    assert_eq!(Made.into_tools()[0].spec().name, "made");
    assert_eq!(LocalSet.into_tools()[0].spec().name, "method");
    assert_eq!(Local.spec().name, "local");
}
