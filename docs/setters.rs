//! Setters of the model builders, read from their source and from the tables of the page about models.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Setter and the type of its parameters, as in the source.
type Setters = BTreeMap<String, String>;

/// Builders in the order of the table's columns, with the sources of each and of the macros that it uses.
const BUILDERS: [(&str, &str, &str); 9] = [
    ("anthropic", "AnthropicModelBuilder", "strands-models/src/anthropic/builder.rs"),
    ("bedrock", "BedrockModelBuilder", "strands-bedrock/src/builder.rs"),
    ("gemini", "GeminiModelBuilder", "strands-models/src/gemini/builder.rs"),
    ("llamacpp", "LlamaCppModelBuilder", "strands-models/src/llamacpp/builder.rs"),
    ("mistral", "MistralModelBuilder", "strands-models/src/mistral/builder.rs"),
    ("ollama", "OllamaModelBuilder", "strands-models/src/ollama/builder.rs"),
    ("openai", "OpenAiModelBuilder", "strands-models/src/openai/chat.rs"),
    ("openai-responses", "OpenAiResponsesModelBuilder", "strands-models/src/openai/responses/builder.rs"),
    ("offline", "OfflineModelBuilder", "strands-models/src/offline/mod.rs"),
];
const MACROS: [&str; 4] = [
    "strands-models/src/http/options.rs",
    "strands-models/src/http/sampling.rs",
    "strands-models/src/chat_completions/settings.rs",
    "strands-models/src/openai/options.rs",
];
/// Setters whose parameters have types of the provider.
const OF_PROVIDERS: [&str; 3] = ["cache", "client", "service_tier"];

fn tokens(path: &str) -> Vec<TokenTree> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    source.parse::<TokenStream>().expect("Rust").into_iter().collect()
}

fn is(token: Option<&TokenTree>, text: &str) -> bool {
    token.is_some_and(|token| token.to_string() == text)
}

fn group(token: Option<&TokenTree>) -> Option<Vec<TokenTree>> {
    match token? {
        TokenTree::Group(group) => Some(group.stream().into_iter().collect()),
        _ => None,
    }
}

fn text(tokens: &[TokenTree]) -> String {
    tokens.iter().cloned().collect::<TokenStream>().to_string().split_whitespace().collect::<String>()
}

/// Arms of the macros: pattern and body.
type Macros = BTreeMap<String, Vec<(Vec<TokenTree>, Vec<TokenTree>)>>;

fn macros() -> Macros {
    let mut macros = Macros::new();
    for tokens in MACROS.map(tokens) {
        for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.to_string() == "macro_rules") {
            let (Some(name), Some(rules)) = (tokens.get(at + 2), group(tokens.get(at + 3))) else { continue };
            let groups: Vec<_> = rules.iter().filter_map(|token| group(Some(token))).collect();
            let arms = groups.chunks_exact(2).map(|arm| (arm[0].clone(), arm[1].clone())).collect();
            macros.insert(name.to_string(), arms);
        }
    }
    macros
}

/// Adds the setters in the body of an `impl` block, or of a macro that is used there.
fn collect(body: &[TokenTree], macros: &Macros, setters: &mut Setters) {
    for (at, token) in body.iter().enumerate() {
        let next = |by: usize| body.get(at + by);
        if is(Some(token), "fn") && matches!(next(1), Some(TokenTree::Ident(_))) {
            let is_public = at > 0 && (is(body.get(at - 1), "pub"));
            let parameters = (2..6).find_map(|by| match next(by) {
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => group_of(group),
                _ => None,
            });
            let Some(parameters) = parameters.filter(|_| is_public) else { continue };
            // `mut self, name: Type`; `build` has no further parameter.
            if let [first, second, comma, rest @ ..] = &parameters[..]
                && (is(Some(first), "mut") && is(Some(second), "self") && is(Some(comma), ",")
                    || is(Some(first), "self") && is(Some(second), ","))
            {
                let rest = if is(Some(second), ",") { &parameters[2..] } else { rest };
                let types: Vec<String> = text(rest)
                    .split(',')
                    .filter_map(|part| part.split_once(':'))
                    .map(|(_, kind)| kind.to_owned())
                    .collect();
                setters.insert(next(1).map(ToString::to_string).unwrap_or_default(), types.join(","));
            }
        }
        if let (TokenTree::Ident(name), true) = (token, is(next(1), "!"))
            && let (Some(arms), Some(arguments)) = (macros.get(&name.to_string()), group(next(2)))
        {
            expand(arms, &arguments, macros, setters);
        }
    }
}

fn group_of(group: &proc_macro2::Group) -> Option<Vec<TokenTree>> {
    Some(group.stream().into_iter().collect())
}

fn expand(arms: &[(Vec<TokenTree>, Vec<TokenTree>)], arguments: &[TokenTree], macros: &Macros, setters: &mut Setters) {
    let before = setters.len();
    let named: BTreeSet<String> = arguments
        .windows(2)
        .filter(|pair| matches!(pair[0], TokenTree::Ident(_)) && is(Some(&pair[1]), ":"))
        .map(|pair| pair[0].to_string())
        .collect();
    for (pattern, body) in arms {
        // Arms such as `(@seed ..)` are for the setters that are named in the arguments.
        if is(pattern.first(), "@") {
            if pattern.get(1).is_some_and(|name| named.contains(&name.to_string())) {
                collect(body, macros, setters);
            }
        } else {
            collect(body, macros, setters);
        }
    }
    // `method(value: Type) => "field";`
    for (at, token) in arguments.iter().enumerate() {
        if let (TokenTree::Ident(name), Some(TokenTree::Group(parameters))) = (token, arguments.get(at + 1))
            && is(arguments.get(at + 2), "=")
        {
            let parameters = text(&parameters.stream().into_iter().collect::<Vec<_>>());
            let kind = parameters.split_once(':').map(|(_, kind)| kind.to_owned()).unwrap_or_default();
            setters.insert(name.to_string(), kind);
        }
    }
    assert!(setters.len() > before, "a macro without setters: {}", text(arguments));
}

fn setters_of(builder: &str, path: &str, macros: &Macros) -> Setters {
    let tokens = tokens(path);
    let mut setters = Setters::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.to_string() == "impl") {
        if is(tokens.get(at + 1), builder)
            && let Some(body) = group(tokens.get(at + 2))
        {
            collect(&body, macros, &mut setters);
        }
    }
    assert!(!setters.is_empty(), "{builder} in {path}");
    setters
}

/// Rows of the table whose header begins with this cell.
fn table(page: &str, first: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let lines = page.lines().skip_while(|line| cells(line).first().is_none_or(|cell| cell != first));
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_page_about_models_lists_every_setter() {
    let (page, macros) = (include_str!("src/models.md"), macros());
    let mut in_code: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (provider, builder, path) in BUILDERS {
        for setter in setters_of(builder, path, &macros).into_keys() {
            in_code.entry(setter).or_default().insert(provider.to_owned());
        }
    }

    let mut on_page: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let shared = table(page, "setter");
    assert_eq!(shared[0][1..], BUILDERS.map(|(provider, ..)| provider), "columns");
    for row in &shared[2..] {
        let providers = BUILDERS.iter().zip(&row[1..]).filter(|(_, cell)| !cell.is_empty());
        let providers: BTreeSet<String> = providers.map(|((provider, ..), _)| (*provider).to_owned()).collect();
        assert!(providers.len() > 1, "{} belongs into the second table", row[0]);
        assert!(on_page.insert(row[0].clone(), providers).is_none(), "{} is listed twice", row[0]);
    }
    for row in &table(page, "only")[2..] {
        for setter in row[1].split(',').map(|setter| setter.trim().trim_matches('`')) {
            let providers = BTreeSet::from([row[0].clone()]);
            assert!(on_page.insert(setter.to_owned(), providers).is_none(), "{setter} is listed twice");
        }
    }
    for (setter, providers) in &in_code {
        assert_eq!(on_page.get(setter), Some(providers), "docs/src/models.md, `{setter}`");
    }
    for setter in on_page.keys() {
        assert!(in_code.contains_key(setter), "docs/src/models.md: no builder has `{setter}`");
    }
}

#[test]
fn setters_of_one_name_have_parameters_of_one_type() {
    let macros = macros();
    let mut types: BTreeMap<String, (String, &str)> = BTreeMap::new();
    for (_, builder, path) in BUILDERS {
        for (setter, found) in setters_of(builder, path, &macros) {
            // Paths differ between macros and files.
            let found = ["std::time::", "serde_json::", "secrecy::", "crate::"]
                .iter()
                .fold(found, |all, path| all.replace(path, ""));
            let (expected, first) = types.entry(setter.clone()).or_insert_with(|| (found.clone(), builder));
            assert!(
                *expected == found || OF_PROVIDERS.contains(&&*setter),
                "{setter}: {expected} of {first}, {found} of {builder}"
            );
        }
    }
}
