//! The OIDC rig, over HTTP.
