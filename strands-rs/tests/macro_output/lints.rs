//! Generated code passes lints that users may deny.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]
#![deny(warnings)]
#![deny(
    absolute_paths_not_starting_with_crate,
    deprecated,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    keyword_idents,
    macro_use_extern_crate,
    meta_variable_misuse,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    non_ascii_idents,
    redundant_imports,
    redundant_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

pub mod tools {
    //! Public tools.

    use std::sync::Arc;
    use strands::{ToolContext, tool, toolset};

    /// The current weather.
    ///
    /// # Errors
    ///
    /// Fails in fog.
    #[tool(output)]
    pub async fn get_weather(
        /// The city
        city: &str,
        #[arg(default = 1, range = 1..=7, example = 2)] days: u8,
        #[arg(pattern = "^[a-z]+$")] station: Option<String>,
        ctx: &ToolContext,
        seed: &std::sync::atomic::AtomicU64,
        #[inject] shared: Arc<u64>,
    ) -> Result<String, std::io::Error> {
        Ok(format!("{city} {days} {station:?} {} {seed:?} {shared}", ctx.tool_name()))
    }

    /// Does nothing.
    #[tool]
    pub fn nothing() {}

    /// Deprecated.
    #[deprecated = "use `get_weather`"]
    #[tool]
    pub fn old_weather() -> u8 {
        1
    }

    /// Must be used.
    #[must_use]
    #[tool(inline)]
    pub fn precious<'a>(text: &'a str) -> &'a str {
        text
    }

    /// Never returns.
    #[tool]
    pub fn never() -> ! {
        panic!("never")
    }

    /// Some files.
    #[derive(Debug, Default)]
    pub struct Files {
        names: Vec<String>,
    }

    #[toolset(prefix = "files_")]
    impl Files {
        /// Lists.
        #[tool]
        pub fn list(&self) -> Vec<String> {
            self.names.clone()
        }

        /// Waits.
        #[tool]
        pub async fn wait(self: &Arc<Self>, seconds: u64) -> u64 {
            seconds
        }

        /// Deprecated.
        #[deprecated]
        #[tool]
        pub fn old(&self) {}
    }

    #[toolset(into = pub more_tools)]
    impl Files {
        /// Counts.
        #[tool(inline)]
        fn count(&self) -> usize {
            self.names.len()
        }
    }
}

fn main() {
    use strands::Toolset;

    let files = tools::Files::default();
    assert_eq!(files.into_tools().len(), 3);
    assert_eq!(std::sync::Arc::new(tools::Files::default()).more_tools().len(), 1);
    let _ = (tools::GetWeather, tools::Nothing, tools::Precious, tools::Never);
}
