//! General categories of Unicode, for `\p{..}`.

use std::sync::LazyLock;

use super::char_set::CharSet;

/// Runs of characters of one category, from U+0000 on: a length in base 36, omitted if it is 1, and a letter for the
/// category. Unicode 14.
const RUNS: &str = include_str!("unicode_categories.txt");

/// The categories, in the order of their letters.
const CATEGORIES: [(&str, char); 30] = [
    ("Lu", 'A'),
    ("Ll", 'B'),
    ("Lt", 'C'),
    ("Lm", 'D'),
    ("Lo", 'E'),
    ("Mn", 'F'),
    ("Mc", 'G'),
    ("Me", 'H'),
    ("Nd", 'I'),
    ("Nl", 'J'),
    ("No", 'K'),
    ("Pc", 'L'),
    ("Pd", 'M'),
    ("Ps", 'N'),
    ("Pe", 'O'),
    ("Pi", 'P'),
    ("Pf", 'Q'),
    ("Po", 'R'),
    ("Sm", 'S'),
    ("Sc", 'T'),
    ("Sk", 'U'),
    ("So", 'V'),
    ("Zs", 'W'),
    ("Zl", 'X'),
    ("Zp", 'Y'),
    ("Cc", 'Z'),
    ("Cf", '!'),
    ("Cs", '#'),
    ("Co", '$'),
    ("Cn", '%'),
];

/// Long names of categories and of their groups.
const LONG_NAMES: [(&str, &str); 37] = [
    ("Letter", "L"),
    ("Cased_Letter", "LC"),
    ("Uppercase_Letter", "Lu"),
    ("Lowercase_Letter", "Ll"),
    ("Titlecase_Letter", "Lt"),
    ("Modifier_Letter", "Lm"),
    ("Other_Letter", "Lo"),
    ("Mark", "M"),
    ("Combining_Mark", "M"),
    ("Nonspacing_Mark", "Mn"),
    ("Spacing_Mark", "Mc"),
    ("Enclosing_Mark", "Me"),
    ("Number", "N"),
    ("Decimal_Number", "Nd"),
    ("digit", "Nd"),
    ("Letter_Number", "Nl"),
    ("Other_Number", "No"),
    ("Punctuation", "P"),
    ("punct", "P"),
    ("Connector_Punctuation", "Pc"),
    ("Dash_Punctuation", "Pd"),
    ("Open_Punctuation", "Ps"),
    ("Close_Punctuation", "Pe"),
    ("Initial_Punctuation", "Pi"),
    ("Final_Punctuation", "Pf"),
    ("Other_Punctuation", "Po"),
    ("Symbol", "S"),
    ("Math_Symbol", "Sm"),
    ("Currency_Symbol", "Sc"),
    ("Modifier_Symbol", "Sk"),
    ("Other_Symbol", "So"),
    ("Separator", "Z"),
    ("Space_Separator", "Zs"),
    ("Line_Separator", "Zl"),
    ("Paragraph_Separator", "Zp"),
    ("Control", "Cc"),
    ("Format", "Cf"),
];

/// The runs as ranges, with the letters of their categories.
static RANGES: LazyLock<Vec<(u32, u32, char)>> = LazyLock::new(|| {
    let (mut ranges, mut start, mut length) = (Vec::new(), 0_u32, String::new());
    for letter in RUNS.chars() {
        match letter {
            '0'..='9' | 'a'..='z' => length.push(letter),
            '\n' | '\r' => {}
            category => {
                let run = u32::from_str_radix(&length, 36).unwrap_or(1);
                ranges.push((start, start.saturating_add(run - 1), category));
                start = start.saturating_add(run);
                length.clear();
            }
        }
    }
    ranges
});

/// Returns the characters of a property, or `None` if it is unknown.
pub(super) fn property(name: &str) -> Option<CharSet> {
    let name = ["gc=", "General_Category="].iter().find_map(|key| name.strip_prefix(key)).unwrap_or(name);
    match name {
        "Any" => return Some(CharSet::default().negated()),
        "ASCII" => return Some(CharSet::new([(0, 0x7f)])),
        _ => {}
    }
    let name = LONG_NAMES.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| short);
    let is_of = |category: &str| match name {
        "LC" => matches!(category, "Lu" | "Ll" | "Lt"),
        name if name.len() == 1 => category.starts_with(name),
        name => category == name,
    };
    let letters: Vec<_> =
        CATEGORIES.iter().filter(|(category, _)| is_of(category)).map(|(_, letter)| *letter).collect();
    if letters.is_empty() {
        return None;
    }
    let ranges = RANGES.iter().filter(|(_, _, letter)| letters.contains(letter));
    Some(CharSet::new(ranges.map(|(first, last, _)| (*first, *last))))
}
