//! Argument names that every provider accepts. Anthropic and Bedrock reject `Account Number` and `$top`.

use std::collections::HashSet;

/// The longest name, in bytes.
const MAX_BYTES: usize = 64;

/// Returns true for 1 to 64 characters of `a-z A-Z 0-9 _ . -`.
fn is_plain(name: &str) -> bool {
    (1..=MAX_BYTES).contains(&name.len()) && name.chars().all(is_plain_letter)
}

fn is_plain_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.-".contains(letter)
}

/// Returns each name with its replacement: deterministic for the same names in the same order, and unique.
pub(super) fn plain<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<(&'a str, String)> {
    let mut used: HashSet<String> = names.clone().filter(|name| is_plain(name)).map(str::to_owned).collect();
    let stand_in = |name: &'a str| {
        if is_plain(name) {
            return (name, name.to_owned());
        }
        let mut base: String = name.chars().map(|letter| if is_plain_letter(letter) { letter } else { '_' }).collect();
        base.truncate(MAX_BYTES);
        if base.is_empty() {
            "_".clone_into(&mut base);
        }
        let mut plain = base.clone();
        let mut number = 1_u32;
        while !used.insert(plain.clone()) {
            number += 1;
            let end = format!("_{number}");
            plain = base.get(..base.len().min(MAX_BYTES - end.len())).unwrap_or_default().to_owned() + &end;
        }
        (name, plain)
    };
    names.map(stand_in).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_ins(names: &[&str]) -> Vec<String> {
        plain(names.iter().copied()).into_iter().map(|(_, plain)| plain).collect()
    }

    #[test]
    fn replaces_each_name_with_a_unique_one() {
        assert_eq!(
            stand_ins(&["Account Number", "Account_Number", "$top", "", "a.b-c"]),
            ["Account_Number_2", "Account_Number", "_top", "_", "a.b-c"]
        );
        let long = "ü".repeat(70);
        let longer = "ä".repeat(71);
        assert_eq!(stand_ins(&[&long, &longer]), ["_".repeat(64), "_".repeat(62) + "_2"]);
    }
}
