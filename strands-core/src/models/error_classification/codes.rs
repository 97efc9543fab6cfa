//! Error codes of providers, normalized for comparison.

use crate::models::ModelErrorKind;

/// Normalized error codes: lower case, letters and digits only, without the suffix `error` or `exception`.
const CODES: [(&str, ModelErrorKind); 52] = [
    ("throttling", ModelErrorKind::Throttled),
    ("throttled", ModelErrorKind::Throttled),
    ("ratelimit", ModelErrorKind::Throttled),
    ("ratelimited", ModelErrorKind::Throttled),
    ("ratelimitexceeded", ModelErrorKind::Throttled),
    ("ratelimitreached", ModelErrorKind::Throttled),
    ("toomanyrequests", ModelErrorKind::Throttled),
    ("requestlimitexceeded", ModelErrorKind::Throttled),
    ("servicetiercapacityexceeded", ModelErrorKind::Throttled),
    ("limitrequests", ModelErrorKind::Throttled),
    ("limitburstrate", ModelErrorKind::Throttled),
    ("contextlengthexceeded", ModelErrorKind::ContextOverflow),
    ("contextlimitexceeded", ModelErrorKind::ContextOverflow),
    ("contextwindowexceeded", ModelErrorKind::ContextOverflow),
    ("contextoverflow", ModelErrorKind::ContextOverflow),
    ("modelcontextwindowexceeded", ModelErrorKind::ContextOverflow),
    ("maxcontextlengthexceeded", ModelErrorKind::ContextOverflow),
    ("exceedcontextsize", ModelErrorKind::ContextOverflow),
    ("inputtoolong", ModelErrorKind::ContextOverflow),
    ("prompttoolong", ModelErrorKind::ContextOverflow),
    ("prompttoolarge", ModelErrorKind::ContextOverflow),
    ("contextlength", ModelErrorKind::ContextOverflow),
    ("maxtokensexceeded", ModelErrorKind::ContextOverflow),
    ("modelmaxprompttokensexceeded", ModelErrorKind::ContextOverflow),
    ("requesttoolarge", ModelErrorKind::ContextOverflow),
    ("requestentitytoolarge", ModelErrorKind::ContextOverflow),
    ("tokenslimitreached", ModelErrorKind::ContextOverflow),
    ("toolusefailed", ModelErrorKind::MalformedOutput),
    ("jsonvalidatefailed", ModelErrorKind::MalformedOutput),
    ("outputparsefailed", ModelErrorKind::MalformedOutput),
    ("malformedfunctioncall", ModelErrorKind::MalformedOutput),
    ("malformedtooluse", ModelErrorKind::MalformedOutput),
    ("malformedmodeloutput", ModelErrorKind::MalformedOutput),
    ("contentfilter", ModelErrorKind::ContentFiltered),
    ("contentfiltered", ModelErrorKind::ContentFiltered),
    ("contentpolicyviolation", ModelErrorKind::ContentFiltered),
    ("responsibleaipolicyviolation", ModelErrorKind::ContentFiltered),
    ("datainspectionfailed", ModelErrorKind::ContentFiltered),
    ("authentication", ModelErrorKind::Authentication),
    ("invalidauthentication", ModelErrorKind::Authentication),
    ("unauthenticated", ModelErrorKind::Authentication),
    ("unauthorized", ModelErrorKind::Authentication),
    ("invalidapikey", ModelErrorKind::Authentication),
    ("incorrectapikey", ModelErrorKind::Authentication),
    ("permission", ModelErrorKind::Authentication),
    ("permissiondenied", ModelErrorKind::Authentication),
    ("server", ModelErrorKind::Overloaded),
    ("internalserver", ModelErrorKind::Overloaded),
    ("overloaded", ModelErrorKind::Overloaded),
    ("engineoverloaded", ModelErrorKind::Overloaded),
    ("serveroverloaded", ModelErrorKind::Overloaded),
    ("serviceunavailable", ModelErrorKind::Overloaded),
];

/// Returns the kind of error that a code names.
pub(super) fn of_code(code: &str) -> Option<ModelErrorKind> {
    let code = normalized(code);
    CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
}

/// Returns a code in the form of [`CODES`].
pub(super) fn normalized(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).take(64).collect();
    let plain = plain.strip_suffix("exception").unwrap_or(&plain);
    plain.strip_suffix("error").unwrap_or(plain).to_owned()
}
