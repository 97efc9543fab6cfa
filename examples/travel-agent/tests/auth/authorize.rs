//! The sign-in page.

use strands::serve::axum::http::{Request, StatusCode};

use super::browser::{ISSUER, REDIRECT, Rig, encoded};

#[tokio::test]
async fn signs_in_and_returns_with_code_state_and_issuer() {
    let rig = Rig::new();
    let page = rig.authorize(&[]).await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:8080;"), "{policy}");
    assert!(!page.text.contains("<script") && !page.text.contains("style="), "{}", page.text);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    let page = rig.submit(&page, &[("username", "Alice"), ("password", "alice-dev")]).await;
    let (target, parameters) = page.redirect();
    assert_eq!(target, "http://127.0.0.1:8080/");
    assert_eq!(parameters["state"], "a state & more");
    assert_eq!(parameters["iss"], ISSUER);
    assert_eq!(parameters["page"], "1", "the query of the redirect URI remains");
    assert!(!parameters["code"].is_empty());
}

#[tokio::test]
async fn shows_errors_instead_of_redirecting_to_places_it_does_not_know() {
    let rig = Rig::new();
    for changes in [
        [("client_id", "other")],
        [("client_id", "")],
        [("client_id", "travel-page ")],
        [("redirect_uri", "https://evil.example/")],
        [("redirect_uri", "http://127.0.0.1@evil.example/")],
        [("redirect_uri", "javascript:alert(1)")],
        [("redirect_uri", "http://127.0.0.1:8080/\r\nset-cookie: a=b")],
        [("redirect_uri", "")],
    ] {
        let page = rig.authorize(&changes).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{changes:?}");
        assert_eq!(page.header("location"), "", "{changes:?}");
        assert!(page.text.contains("You can't sign in here"), "{}", page.text);
    }
    let twice = format!(
        "{}&redirect_uri=https://evil.example/",
        encoded(&[&[("client_id", "travel-page"), ("redirect_uri", REDIRECT)]])
    );
    let page = rig.get(&format!("/authorize?{twice}")).await;
    assert_eq!((page.status, page.header("location")), (StatusCode::BAD_REQUEST, ""));
}

#[tokio::test]
async fn returns_other_errors_to_the_client() {
    let rig = Rig::new();
    let long = "n".repeat(1025);
    for (changes, expected) in [
        ([("response_type", "token")], "unsupported_response_type"),
        ([("response_type", "")], "unsupported_response_type"),
        ([("response_mode", "fragment")], "invalid_request"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge_method", "")], "invalid_request"),
        ([("code_challenge", "")], "invalid_request"),
        ([("code_challenge", "short")], "invalid_request"),
        ([("nonce", &*long)], "invalid_request"),
        ([("prompt", "none")], "login_required"),
        ([("request", "eyJ")], "request_not_supported"),
        ([("request_uri", "https://evil.example/")], "request_uri_not_supported"),
    ] {
        let page = rig.authorize(&changes).await;
        let (target, parameters) = page.redirect();
        assert_eq!(
            (target.as_str(), parameters["error"].as_str()),
            ("http://127.0.0.1:8080/", expected),
            "{changes:?}"
        );
        assert_eq!((parameters["state"].as_str(), parameters["iss"].as_str()), ("a state & more", ISSUER));
    }
}

#[tokio::test]
async fn wrong_passwords_are_an_error_on_the_page_and_throttled() {
    let rig = Rig::new();
    let page = rig.authorize(&[]).await;
    let wrong: &[(&str, &str)] = &[("username", "alice\"><script>"), ("password", "x")];
    let again = rig.submit(&page, wrong).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.text.contains(r#"role="alert">Wrong user name or password."#), "{}", again.text);
    assert!(again.text.contains("value=\"alice&quot;&gt;&lt;script&gt;\""), "{}", again.text);
    assert_eq!(rig.submit(&page, &[("username", "alice"), ("password", "x")]).await.status, StatusCode::FORBIDDEN);
    for _ in 0..9 {
        rig.submit(&page, &[("username", "alice"), ("password", "x")]).await;
    }
    let throttled = rig.submit(&page, &[("username", "alice"), ("password", "alice-dev")]).await;
    assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = throttled.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let other = rig.submit(&page, &[("username", "bob"), ("password", "bob-dev")]).await;
    assert_eq!(other.status, StatusCode::SEE_OTHER, "other users can sign in");
}

#[tokio::test]
async fn a_form_is_of_one_browser_and_one_page() {
    let rig = Rig::new();
    let page = rig.authorize(&[]).await;
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let fields: &[(&str, &str)] = &[("form", &page.form()), ("username", "alice"), ("password", "alice-dev")];
    let form = encoded(&[fields]);
    let other = rig.authorize(&[]).await.header("set-cookie").split(';').next().unwrap().to_owned();
    let send = async |cookie: &str, origin: &str, form: &str| {
        let request = Request::post("/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", origin)
            .header("cookie", cookie);
        rig.send(request, form.to_owned()).await
    };
    for (cookie, origin) in [
        ("", ISSUER),
        (other.as_str(), ISSUER),
        ("travel-auth-browser=", ISSUER),
        (cookie.as_str(), "https://evil.example"),
        (cookie.as_str(), "http://127.0.0.1:8080"),
        (cookie.as_str(), "null"),
    ] {
        let page = send(cookie, origin, &form).await;
        assert_eq!((page.status, page.header("location")), (StatusCode::FORBIDDEN, ""), "{cookie} {origin}");
    }
    let forged = form.replace("form=ey", "form=ez");
    assert_ne!(form, forged);
    assert_eq!(send(&cookie, ISSUER, &forged).await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&cookie, ISSUER, &form).await.status, StatusCode::SEE_OTHER);
    let json = Request::post("/sign-in").header("content-type", "text/plain").header("cookie", cookie);
    assert_eq!(rig.send(json, form).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn two_tabs_of_one_browser_can_sign_in() {
    let rig = Rig::new();
    let first = rig.authorize(&[]).await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    let path = format!(
        "/authorize?{}",
        encoded(&[&[
            ("response_type", "code"),
            ("client_id", "travel-page"),
            ("redirect_uri", REDIRECT),
            ("code_challenge", &super::browser::challenge()),
            ("code_challenge_method", "S256"),
        ]])
    );
    let second = rig.send(Request::get(path).header("cookie", cookie), String::new()).await;
    assert_eq!(second.header("set-cookie"), "", "the cookie of the first tab remains");
    assert_eq!(rig.submit(&first, &[("username", "bob"), ("password", "bob-dev")]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn requests_for_other_hosts_are_refused() {
    let rig = Rig::new();
    for (host, expected) in [
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1.evil.example:9000", StatusCode::MISDIRECTED_REQUEST),
        ("", StatusCode::MISDIRECTED_REQUEST),
        ("localhost:9000", StatusCode::OK),
        ("[::1]:9000", StatusCode::OK),
    ] {
        let request =
            Request::get("/healthz").header("host", host).body(strands::serve::axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(rig.router.clone(), request).await.unwrap();
        assert_eq!(response.status(), expected, "{host}");
    }
}

#[tokio::test]
async fn sign_out_returns_to_this_machine_alone() {
    let rig = Rig::new();
    let tokens = rig.exchange(&rig.code("alice").await, &[]).await.json();
    let id_token = tokens["id_token"].as_str().unwrap();
    let after = "http://127.0.0.1:8080/bye";
    let query = encoded(&[&[("post_logout_redirect_uri", after), ("state", "s"), ("id_token_hint", id_token)]]);
    let (target, parameters) = rig.get(&format!("/logout?{query}")).await.redirect();
    assert_eq!((target.as_str(), parameters["state"].as_str()), (after, "s"));
    assert_eq!(rig.get("/logout").await.status, StatusCode::OK);
    for bad in [
        [("post_logout_redirect_uri", "https://evil.example/"), ("state", "")],
        [("post_logout_redirect_uri", after), ("client_id", "other")],
        [("post_logout_redirect_uri", after), ("id_token_hint", "a.b.c")],
        [("post_logout_redirect_uri", after), ("id_token_hint", tokens["access_token"].as_str().unwrap())],
    ] {
        let page = rig.get(&format!("/logout?{}", encoded(&[&bad]))).await;
        assert_eq!((page.status, page.header("location")), (StatusCode::BAD_REQUEST, ""), "{bad:?}");
    }
}
