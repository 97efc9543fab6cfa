//! Text that tells users where the system is, and what to try.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr};

use serde_json::json;

use super::{
    args::Shared,
    folder::DataFolder,
    output::Output,
    programs::{Programs, Role},
    restate,
};
use crate::{access::Role as UserRole, auth::Users};

/// Text or JSON that is printed when all is ready.
pub(super) struct Summary {
    as_json: bool,
    data: String,
    model: String,
    is_offline: bool,
    pages: Vec<SocketAddr>,
    issuer: Option<SocketAddr>,
    desk: Option<SocketAddr>,
    s3: Option<SocketAddr>,
    restate: Option<restate::Addresses>,
    addresses: BTreeMap<String, SocketAddr>,
    /// Reason for files instead of an S3 server.
    pub(super) s3_skipped: Option<String>,
}

impl Summary {
    pub(super) fn new(folder: &DataFolder, programs: &Programs, shared: &Shared, as_json: bool) -> Self {
        let model = shared.model.clone().filter(|model| !model.is_empty());
        let is_offline = model.as_deref().is_none_or(|model| model == "offline");
        Self {
            as_json,
            data: folder.path().display().to_string(),
            model: model.unwrap_or_else(|| "offline".to_owned()),
            is_offline,
            pages: programs.addresses(|role| matches!(role, Role::Agent(_))).collect(),
            issuer: programs.addresses(|role| role == Role::Auth).next(),
            desk: programs.addresses(|role| role == Role::Mcp).next(),
            s3: programs.addresses(|role| role == Role::S3).next(),
            restate: programs.durable().map(|durable| durable.restate),
            addresses: programs.iter().map(|(role, program)| (role.name(), program.address)).collect(),
            s3_skipped: None,
        }
    }

    /// Prints it. The text is printed once, the JSON after each restart, too.
    pub(super) fn print(&self, output: &Output, ids: &BTreeMap<String, u32>, is_restart: bool) {
        if self.as_json {
            output.print(&self.json(ids));
        } else if !is_restart {
            output.print(&self.text());
        }
    }

    fn json(&self, ids: &BTreeMap<String, u32>) -> String {
        let url = |address: &SocketAddr| format!("http://{address}");
        let users = Users::with_load_test(0);
        let sign_ins = users
            .shown()
            .iter()
            .map(|user| json!({"username": user.username, "password": user.password(), "role": user.role.as_str()}));
        let processes =
            ids.iter().map(|(name, id)| json!({"name": name, "url": self.addresses.get(name).map(url), "pid": id}));
        json!({
            "page": self.pages.first().map(|page| format!("http://{page}/")),
            "pages": Vec::from_iter(self.pages.iter().map(|page| format!("http://{page}/"))),
            "issuer": self.issuer.as_ref().map(url),
            "desk": self.desk.map(|desk| format!("http://{desk}/mcp")),
            "s3": self.s3.as_ref().map(url),
            "s3_skipped": self.s3_skipped,
            "restate": self.restate.map(|restate| url(&restate.ingress)),
            "restate_admin": self.restate.map(|restate| url(&restate.admin)),
            "data": self.data,
            "model": self.model,
            "sign_ins": Vec::from_iter(sign_ins),
            "pid": std::process::id(),
            "processes": Vec::from_iter(processes),
        })
        .to_string()
    }

    fn text(&self) -> String {
        let mut text = String::from("\nAcmeCorp Travel is ready. FOR DEVELOPMENT ONLY: its passwords are public.\n\n");
        for (number, page) in self.pages.iter().enumerate() {
            let _ = writeln!(text, "  {:<9} http://{page}/", if number == 0 { "Open" } else { "or" });
        }
        for (number, user) in Users::with_load_test(0).shown().iter().enumerate() {
            let label = if number == 0 { "Sign in" } else { "" };
            let may = match user.role {
                UserRole::Traveler => "plans and books trips",
                UserRole::Manager => "approves trips above the limit, too",
                UserRole::Auditor => "sees all bookings, and books nothing",
            };
            let (name, password) = (&user.username, user.password());
            let _ = writeln!(text, "  {label:<9} {name:<6} password {password:<10} {}: {may}", user.role);
        }
        let model =
            if self.is_offline { "rules, without a language model; choose one with --model" } else { &self.model };
        let _ = write!(
            text,
            "\n  Try       as alice: Book me a trip to New York next Monday\n\
             \x20           as alice: Book me a trip to New York next Monday at the Park Row Grand\n\
             \x20                     (above the limit: approve it as bob in a private window)\n\n\
             \x20 Model     {model}\n\
             \x20 Data      {}; delete it to start afresh\n",
            self.data
        );
        if let Some(s3) = self.s3 {
            let _ = writeln!(text, "  S3        http://{s3}");
        }
        if let Some(reason) = &self.s3_skipped {
            let _ = writeln!(text, "  S3        {reason}");
        }
        if let Some(restate::Addresses { ingress, admin, .. }) = self.restate {
            let _ = write!(
                text,
                "  Restate   http://{ingress}, its own page http://{admin}/ui/; its callers may name any user\n\n\
                 \x20 A turn that survives kills of its process:\n\n\
                 \x20 curl --json '{{\"prompt\": \"Book me a trip to New York next Monday\", \"metadata\": {{\"user\": \"alice\"}}}}' \\\n\
                 \x20     http://{ingress}/TravelAgent/session-1/prompt\n",
            );
        }
        text.push_str("\nCtrl-C stops all.\n");
        text
    }
}
