//! S3 server: moto, in Python, which keeps its objects in files.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use super::{args::Shared, folder::DataFolder, install::call, output::Output, process::Program};

/// The version that is installed.
const PACKAGE: &str = "moto[s3,server]==5.2.5";
const SERVER: &str = include_str!("s3_server.py");

/// Name of the process.
pub(super) const NAME: &str = "s3";
pub(super) const BUCKET: &str = "travel";
/// The desk's database, as one object.
pub(super) const DATABASE: &str = "s3://travel/desk/travel.sqlite3";

/// Time to install moto.
const INSTALLATION: Duration = Duration::from_secs(600);
/// Time of other calls of Python.
const CALL: Duration = Duration::from_secs(60);

/// Returns a Python that has moto: that of the user, or one in the data folder, where moto is installed on first use. An error says
/// what is missing.
pub(super) async fn python(user: &Path, folder: &DataFolder, output: &Output) -> Result<PathBuf, String> {
    if has_moto(user).await {
        return Ok(user.to_owned());
    }
    let environment = folder.path().join("python");
    let own = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if has_moto(&own).await {
        return Ok(own);
    }
    output.note(&format!("installing {PACKAGE} in {}; this takes a minute, once", environment.display()));
    let create = ["-m".into(), "venv".into(), "--clear".into(), environment.into_os_string()];
    call(NAME, user, &create, CALL, output).await?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE].map(OsString::from);
    call(NAME, &own, &install, INSTALLATION, output).await?;
    if has_moto(&own).await { Ok(own) } else { Err(format!("{PACKAGE} is installed, but can't be imported")) }
}

async fn has_moto(python: &Path) -> bool {
    let mut command = Command::new(python);
    // `find_spec` does not import it, which takes seconds.
    let check = "import importlib.util as i, sys; sys.exit(not (i.find_spec('moto') and i.find_spec('flask')))";
    command.args(["-c", check]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    matches!(timeout(CALL, command.status()).await, Ok(Ok(status)) if status.success())
}

/// Returns the server with its objects in a folder.
pub(super) fn program(python: PathBuf, address: SocketAddr, folder: &Path) -> Program {
    let arguments: [OsString; 5] =
        ["-c".into(), SERVER.into(), address.port().to_string().into(), folder.into(), BUCKET.into()];
    Program {
        name: NAME.to_owned(),
        executable: python,
        arguments: arguments.into(),
        variables: vec![("PYTHONUNBUFFERED", "1".into())],
        address,
        ready: Some("/travel?location"),
        grace: Duration::from_secs(3),
        ends_with_input: false,
    }
}

/// Returns the variables of the clients of a server.
pub(super) fn variables(url: &str, shared: &Shared) -> Vec<(&'static str, OsString)> {
    let mut variables: Vec<(&str, OsString)> = vec![("TRAVEL_S3_ENDPOINT", url.into())];
    let has = |name| std::env::var_os(name).is_some();
    if !has("AWS_REGION") && !has("AWS_DEFAULT_REGION") {
        variables.push(("AWS_REGION", "us-east-1".into()));
    }
    // The server accepts all credentials. Those of the user are needed only if services of AWS are.
    let uses_aws =
        shared.model.as_deref().is_some_and(|model| model.starts_with("bedrock/")) || has("TRAVEL_KNOWLEDGE_BASE");
    if !uses_aws {
        variables.extend([
            ("AWS_ACCESS_KEY_ID", "travel".into()),
            ("AWS_SECRET_ACCESS_KEY", "travel-secret".into()),
            ("AWS_SESSION_TOKEN", "travel-session".into()),
        ]);
    }
    variables
}
