//! The reason for that line: Cargo gives a program one reqwest, with the features that everybody in it asks for.

#[test]
fn a_client_without_a_crypto_provider_panics() {
    let built = std::panic::catch_unwind(|| reqwest::Client::builder().build().is_ok());
    assert!(built.is_err(), "reqwest needs no crypto provider any more: the docs of `.client(..)` can be shorter");
    strands::models::install_crypto_provider();
    assert!(reqwest::Client::builder().build().is_ok());
}
