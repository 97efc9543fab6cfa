//! Codes of errors, which each provider writes in its own case.

use crate::model::RefusalKind;

/// Codes, in small letters without anything between them, and without `error` or `exception` at the end.
const CODES: [(&str, RefusalKind); 52] = [
    ("throttling", RefusalKind::Throttled),
    ("throttled", RefusalKind::Throttled),
    ("ratelimit", RefusalKind::Throttled),
    ("ratelimited", RefusalKind::Throttled),
    ("ratelimitexceeded", RefusalKind::Throttled),
    ("ratelimitreached", RefusalKind::Throttled),
    ("toomanyrequests", RefusalKind::Throttled),
    ("requestlimitexceeded", RefusalKind::Throttled),
    ("servicetiercapacityexceeded", RefusalKind::Throttled),
    ("limitrequests", RefusalKind::Throttled),
    ("limitburstrate", RefusalKind::Throttled),
    ("contextlengthexceeded", RefusalKind::ContextOverflow),
    ("contextlimitexceeded", RefusalKind::ContextOverflow),
    ("contextwindowexceeded", RefusalKind::ContextOverflow),
    ("contextoverflow", RefusalKind::ContextOverflow),
    ("modelcontextwindowexceeded", RefusalKind::ContextOverflow),
    ("maxcontextlengthexceeded", RefusalKind::ContextOverflow),
    ("exceedcontextsize", RefusalKind::ContextOverflow),
    ("inputtoolong", RefusalKind::ContextOverflow),
    ("prompttoolong", RefusalKind::ContextOverflow),
    ("prompttoolarge", RefusalKind::ContextOverflow),
    ("contextlength", RefusalKind::ContextOverflow),
    ("maxtokensexceeded", RefusalKind::ContextOverflow),
    ("modelmaxprompttokensexceeded", RefusalKind::ContextOverflow),
    ("requesttoolarge", RefusalKind::ContextOverflow),
    ("requestentitytoolarge", RefusalKind::ContextOverflow),
    ("tokenslimitreached", RefusalKind::ContextOverflow),
    ("toolusefailed", RefusalKind::MalformedOutput),
    ("jsonvalidatefailed", RefusalKind::MalformedOutput),
    ("outputparsefailed", RefusalKind::MalformedOutput),
    ("malformedfunctioncall", RefusalKind::MalformedOutput),
    ("malformedtooluse", RefusalKind::MalformedOutput),
    ("malformedmodeloutput", RefusalKind::MalformedOutput),
    ("contentfilter", RefusalKind::ContentFiltered),
    ("contentfiltered", RefusalKind::ContentFiltered),
    ("contentpolicyviolation", RefusalKind::ContentFiltered),
    ("responsibleaipolicyviolation", RefusalKind::ContentFiltered),
    ("datainspectionfailed", RefusalKind::ContentFiltered),
    ("authentication", RefusalKind::Authentication),
    ("invalidauthentication", RefusalKind::Authentication),
    ("unauthenticated", RefusalKind::Authentication),
    ("unauthorized", RefusalKind::Authentication),
    ("invalidapikey", RefusalKind::Authentication),
    ("incorrectapikey", RefusalKind::Authentication),
    ("permission", RefusalKind::Authentication),
    ("permissiondenied", RefusalKind::Authentication),
    ("server", RefusalKind::Overloaded),
    ("internalserver", RefusalKind::Overloaded),
    ("overloaded", RefusalKind::Overloaded),
    ("engineoverloaded", RefusalKind::Overloaded),
    ("serveroverloaded", RefusalKind::Overloaded),
    ("serviceunavailable", RefusalKind::Overloaded),
];

/// Returns the kind of error that a code names.
pub(super) fn of_code(code: &str) -> Option<RefusalKind> {
    let code = plain(code);
    CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
}

/// A code in small letters, without what is between its words and without what all of them end with.
pub(super) fn plain(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).take(64).collect();
    let plain = plain.strip_suffix("exception").unwrap_or(&plain);
    plain.strip_suffix("error").unwrap_or(plain).to_owned()
}
