//! Form of a response, by its first characters. Content types of gateways are not reliable.

/// Form of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Server-sent events.
    Events,
    /// JSON: one document, or one on each line.
    Json,
    /// HTML or XML.
    Markup,
    Other,
}

/// Fields of server-sent events.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

impl Form {
    /// Returns the form of text with this start, without leading white space; `None` if more is needed.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start.first()? {
            b'{' | b'[' => return Some(Self::Json),
            b'<' => return Some(Self::Markup),
            b':' => return Some(Self::Events),
            _ => {}
        }
        for field in FIELDS {
            if let Some(rest) = start.strip_prefix(field) {
                // A field without a value has no colon.
                return rest.first().map(|next| match next {
                    b':' | b'\n' | b'\r' => Self::Events,
                    _ => Self::Other,
                });
            }
        }
        if FIELDS.iter().any(|field| field.starts_with(start)) { None } else { Some(Self::Other) }
    }

    /// Returns the fault of a body that can't be a response; `None` if it may be one.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Events | Self::Json => None,
            Self::Markup => {
                Some("the response is an HTML page; another server seems to respond at this URL: check the base URL")
            }
            Self::Other => Some(
                "the response is neither events nor JSON; another server seems to respond at this URL: check the base URL",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn determines_the_form_by_the_first_characters() {
        for (start, expected) in [
            ("{\"a\"", Some(Form::Json)),
            ("[", Some(Form::Json)),
            ("data: {", Some(Form::Events)),
            ("data:{", Some(Form::Events)),
            ("data\n", Some(Form::Events)),
            ("event: message_start", Some(Form::Events)),
            ("id: 1", Some(Form::Events)),
            ("retry: 1", Some(Form::Events)),
            (": PROCESSING", Some(Form::Events)),
            ("<!DOCTYPE html>", Some(Form::Markup)),
            ("<html>", Some(Form::Markup)),
            ("Bad Gateway", Some(Form::Other)),
            ("database error", Some(Form::Other)),
            ("error: no", Some(Form::Other)),
            ("dat", None),
            ("data", None),
            ("e", None),
            ("", None),
        ] {
            assert_eq!(Form::of(start.as_bytes()), expected, "{start}");
        }
    }
}
