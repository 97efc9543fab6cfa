//! A custom HTTP client without a crypto provider. Cargo builds one reqwest for a program, with the features that all
//! of its dependents enable.

#[test]
fn a_client_without_a_crypto_provider_panics() {
    let built = std::panic::catch_unwind(|| reqwest::Client::builder().build().is_ok());
    assert!(built.is_err(), "reqwest needs no crypto provider any more: simplify the docs of `.client(..)`");
    strands::models::install_crypto_provider();
    assert!(reqwest::Client::builder().build().is_ok());
}
