//! Detectors of personal data. Each decides about a place by a bounded number of bytes around it, so that a stream has the same
//! findings as the whole text.

mod card;
mod custom;
mod email;
mod iban;
mod ip;
mod national;
mod phone;
mod reading;
mod uuid;

use std::ops::Range;

pub(crate) use custom::CustomPattern;
use reading::{Candidate, is_digit};

/// Kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PiiKind {
    /// E-mail addresses. Label: `EMAIL`.
    Email,
    /// Phone numbers: international ones with `+` or `00`, and those of North America with separators. Label: `PHONE`.
    Phone,
    /// Payment card numbers of the known networks, with a valid Luhn check digit. Label: `CARD`.
    Card,
    /// International bank account numbers with the length of their country and valid check digits. Label: `IBAN`.
    Iban,
    /// IP addresses, of versions 4 and 6, with a digit. Not detected by default. Label: `IP`.
    IpAddress,
    /// Social security numbers of the United States, with separators. Not detected by default. Label: `SSN`.
    UsSsn,
    /// Tax identification numbers of Germany, with a valid check digit. Not detected by default. Label: `TAX_ID`.
    DeTaxId,
    /// National insurance numbers of the United Kingdom. Not detected by default. Label: `NINO`.
    UkNationalInsurance,
    /// Social security numbers (NIR) of France, with a valid key. Not detected by default. Label: `NIR`.
    FrNir,
    /// Identity numbers (DNI, NIE) of Spain, with a valid check letter. Not detected by default. Label: `DNI`.
    EsDni,
}

impl PiiKind {
    /// Kinds that are detected by default.
    pub const DEFAULT: [Self; 4] = [Self::Email, Self::Phone, Self::Card, Self::Iban];

    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::IpAddress,
        Self::UsSsn,
        Self::DeTaxId,
        Self::UkNationalInsurance,
        Self::FrNir,
        Self::EsDni,
    ];

    /// Returns the label in placeholders.
    pub fn label(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Card => "CARD",
            Self::Iban => "IBAN",
            Self::IpAddress => "IP",
            Self::UsSsn => "SSN",
            Self::DeTaxId => "TAX_ID",
            Self::UkNationalInsurance => "NINO",
            Self::FrNir => "NIR",
            Self::EsDni => "DNI",
        }
    }

    /// Returns the maximum number of bytes from the start of a finding to its first digit.
    fn before_digits(self) -> usize {
        match self {
            // Two letters and a separator.
            Self::UkNationalInsurance => 5,
            _ => 3,
        }
    }

    /// Returns the detector of a kind that is found by its digits.
    fn by_digits(self) -> Option<FindAt> {
        match self {
            Self::Email => None,
            Self::Phone => Some(phone::phone_at),
            Self::Card => Some(card::card_at),
            Self::Iban => Some(iban::iban_at),
            Self::IpAddress => Some(ip::version_4_at),
            Self::UsSsn => Some(national::us::ssn_at),
            Self::DeTaxId => Some(national::de::tax_id_at),
            Self::UkNationalInsurance => Some(national::uk::insurance_number_at),
            Self::FrNir => Some(national::fr::nir_at),
            Self::EsDni => Some(national::es::dni_at),
        }
    }
}

/// A finding: personal data in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding<'a> {
    pub(crate) range: Range<usize>,
    pub(crate) label: &'a str,
}

/// Number of bytes before a finding's start, and after it, that decide about the kinds. E-mail addresses need the most.
const WINDOW: usize = email::WINDOW;

/// Maximum length of a finding that begins at or near digits, with its context, in bytes.
const DIGITS_WINDOW: usize = 160;

/// Function that looks for one kind of data at a position.
type FindAt = fn(&[u8], usize) -> Candidate;

/// Detectors of a redactor.
#[derive(Clone, Debug)]
pub(crate) struct Detectors {
    finds_email: bool,
    finds_ip: bool,
    by_digits: Vec<(&'static str, FindAt)>,
    /// Maximum number of bytes from the start of a finding to its first digit.
    before_digits: usize,
    custom: Vec<CustomPattern>,
}

impl Detectors {
    pub(crate) fn new(kinds: &[PiiKind], custom: Vec<CustomPattern>) -> Self {
        Self {
            finds_email: kinds.contains(&PiiKind::Email),
            finds_ip: kinds.contains(&PiiKind::IpAddress),
            by_digits: kinds.iter().filter_map(|kind| Some((kind.label(), kind.by_digits()?))).collect(),
            before_digits: kinds.iter().map(|kind| kind.before_digits()).max().unwrap_or_default(),
            custom,
        }
    }

    /// Returns the window of all detectors.
    pub(crate) fn window(&self) -> usize {
        self.custom.iter().map(CustomPattern::window).fold(WINDOW, usize::max)
    }

    /// Returns all findings that start in a range, by their start, the longest first.
    pub(crate) fn find(&self, text: &str, range: Range<usize>) -> Vec<Finding<'_>> {
        let mut findings = Vec::new();
        if self.finds_email {
            let found = email::find(text, range.clone());
            findings.extend(found.map(|range| Finding { range, label: PiiKind::Email.label() }));
        }
        if self.finds_ip {
            let found = ip::find_version_6(text, range.clone());
            findings.extend(found.map(|range| Finding { range, label: PiiKind::IpAddress.label() }));
        }
        if !self.by_digits.is_empty() {
            self.find_by_digits(text.as_bytes(), range.clone(), &mut findings);
        }
        for pattern in &self.custom {
            let found = pattern.find(text, range.clone());
            findings.extend(found.map(|range| Finding { range, label: pattern.label() }));
        }
        findings.sort_by_key(|finding| (finding.range.start, usize::MAX - finding.range.end));
        findings
    }

    /// Finds numbers: they start at the first digit of a run, or a few bytes before it.
    fn find_by_digits<'a>(&'a self, bytes: &[u8], range: Range<usize>, findings: &mut Vec<Finding<'a>>) {
        let mut next_start = range.start;
        let mut at = range.start;
        while let Some(first) =
            next_digit(bytes, at).filter(|first| *first < range.end.saturating_add(self.before_digits))
        {
            for start in
                next_start.max(first.saturating_sub(self.before_digits))..first.saturating_add(1).min(range.end)
            {
                for (label, find_at) in &self.by_digits {
                    let candidate = uuid::outside_uuid(bytes, start, find_at(bytes, start));
                    if let Candidate { end: Some(end), .. } = candidate {
                        findings.push(Finding { range: start..end, label });
                    }
                }
            }
            next_start = first + 1;
            at = end_of_digits(bytes, first);
        }
    }

    /// Returns the end of the part of an incomplete text whose findings are final.
    pub(crate) fn decided(&self, text: &str, decided: usize) -> usize {
        let mut end = text.len();
        if self.finds_email {
            end = end.min(email::start_of_open(text, decided));
        }
        if self.finds_ip {
            end = end.min(ip::start_of_open(text, decided));
        }
        if !self.by_digits.is_empty() {
            let first = decided.max(text.len().saturating_sub(DIGITS_WINDOW));
            let bytes = text.as_bytes();
            let is_open = |start: &usize| {
                let mut candidates = self.by_digits.iter().map(|(_, find_at)| find_at(bytes, *start));
                candidates.any(|candidate| uuid::outside_uuid(bytes, *start, candidate).is_open)
            };
            end = (first..end).find(is_open).unwrap_or(end);
        }
        for pattern in &self.custom {
            end = end.min(text.len().saturating_sub(pattern.window()));
        }
        end.max(decided)
    }
}

fn next_digit(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.iter().position(u8::is_ascii_digit).map(|found| from + found)
}

fn end_of_digits(bytes: &[u8], first: usize) -> usize {
    (first..bytes.len()).find(|at| !is_digit(bytes, *at)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests;
