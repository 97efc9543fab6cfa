// openid-client as a client of the issuer for development; started by `development_issuer`.

import * as oidc from 'openid-client'

const url = new URL(process.argv[2])
const redirectUri = 'http://127.0.0.1:8080/callback'
let checks = 0

function check(holds, what) {
  checks += 1
  if (!holds) {
    console.error(`FAILED: ${what}`)
    process.exit(1)
  }
}

async function refused(error, what, call) {
  try {
    await call()
  } catch (refusal) {
    check(refusal.error === error, `${what}: ${refusal.error ?? refusal} instead of ${error}`)
    return
  }
  check(false, `${what} is accepted`)
}

const config = await oidc.discovery(url, 'travel-page', { id_token_signed_response_alg: 'ES256' }, oidc.None(), {
  execute: [oidc.allowInsecureRequests],
})
// Without it, the signature of the id token is not verified.
oidc.enableNonRepudiationChecks(config)

async function signIn(username) {
  const verifier = oidc.randomPKCECodeVerifier()
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
  const address = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid profile',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  const page = await fetch(address)
  const cookie = page.headers.get('set-cookie').split(';')[0]
  const form = /name="form" value="([^"]+)"/.exec(await page.text())[1]
  const response = await fetch(new URL('/sign-in', url), {
    method: 'POST',
    headers: { cookie, origin: url.origin },
    body: new URLSearchParams({ form, username, password: `${username}-dev` }),
    redirect: 'manual',
  })
  return { target: new URL(response.headers.get('location')), verifier, state, nonce }
}

for (const [username, role] of [['alice', 'traveler'], ['bob', 'manager'], ['carol', 'auditor']]) {
  const { target, verifier, state, nonce } = await signIn(username)
  const grant = (checks) => oidc.authorizationCodeGrant(config, target, checks)
  const tokens = await grant({ pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true })
  const claims = tokens.claims()
  check(claims.username === username && claims.roles[0] === role, 'claims of the id token')
  check(tokens.expires_in === 60 && tokens.token_type === 'bearer', 'lifetime and type')
  const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  check(renewed.claims().sub === claims.sub, 'the subject of the refreshed id token')
  const code = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
  await refused('invalid_grant', 'a code that is used again', () => grant(code))
  await refused('invalid_grant', 'a forged refresh token', () => oidc.refreshTokenGrant(config, `x${tokens.refresh_token}`))
  const end = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: redirectUri, id_token_hint: tokens.id_token, state })
  const ended = await fetch(end, { redirect: 'manual' })
  check(ended.headers.get('location') === `${redirectUri}?state=${state}`, 'the redirect after the sign-out')
}

const { target, state, nonce } = await signIn('alice')
await refused('invalid_grant', 'a wrong code verifier', () =>
  oidc.authorizationCodeGrant(config, target, {
    pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
    expectedState: state,
    expectedNonce: nonce,
  }),
)

console.log(`openid-client: ${checks} checks hold`)
