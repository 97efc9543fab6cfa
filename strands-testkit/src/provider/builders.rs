//! Macros that configure builders, which are of different types and have the same methods.

/// Applies a [`Tuned`](crate::provider::Tuned) to a builder.
#[macro_export]
macro_rules! tuned {
    ($builder:expr, $tuned:expr) => {{
        let tuned: $crate::provider::Tuned = $tuned;
        let mut builder = $builder.streaming(!tuned.whole);
        if let Some(timeout) = tuned.connect {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(timeout) = tuned.idle {
            builder = builder.idle_timeout(timeout);
        }
        if let Some(timeout) = tuned.total {
            builder = builder.timeout(timeout);
        }
        if let Some(bytes) = tuned.max {
            builder = builder.max_response_bytes(bytes);
        }
        builder
    }};
}

/// Makes a [`Secretive`](crate::provider::Secretive) of a builder that has `api_key`, `header` and `query`, given the
/// header in which `s3cret-key` has to arrive and its value.
#[macro_export]
macro_rules! secretive {
    ($builder:expr, $header:expr, $value:expr) => {{
        let builder =
            $builder.api_key("s3cret-key").header("x-gateway", "s3cret-header").query("token", "s3cret-query");
        let mut shown = format!("{builder:?} {builder:#?}");
        let model = builder.build().unwrap();
        shown += &format!("{model:?} {model:#?}");
        let sent = vec![($header, $value), ("x-gateway", "s3cret-header"), ("token", "s3cret-query")];
        $crate::provider::Secretive { model: std::sync::Arc::new(model), shown, sent }
    }};
}

/// Configures a builder with the model and those options of a [`Capture`](crate::provider::Capture) that it supports:
/// `configured!(builder, capture; temperature = number("temperature"), max_tokens = count("max_tokens"))`.
#[macro_export]
macro_rules! configured {
    ($builder:expr, $capture:expr; $($method:ident = $kind:ident($name:literal)),+ $(,)?) => {{
        let capture: &$crate::provider::Capture = $capture;
        let mut builder = $builder.model_id(&capture.model_id);
        $(
            if let Some(value) = capture.$kind($name) {
                builder = builder.$method(value);
            }
        )+
        builder
    }};
}
