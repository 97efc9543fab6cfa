//! Restate server: the program of its package on npm.

use std::{
    env::consts::{ARCH, OS},
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{SystemError, folder::DataFolder, install::call, output::Output, ports::Ports, process::Program};

/// The version that is installed.
const VERSION: &str = "1.7.12";
/// Time to install it: 220 MB.
const INSTALLATION: Duration = Duration::from_secs(600);

/// Name of the process, and of its ports.
pub(super) const NAME: &str = "restate";

/// Runs the server until its standard input ends, as the other processes do. The shell becomes the server, which has its process id.
const UNTIL_INPUT_ENDS: &str = r#"exec 3<&0; { cat <&3; kill "$$"; } >/dev/null 2>&1 & exec "$0" "$@" </dev/null 3<&-"#;

/// Returns the program of the server: that of the user, or one in the data folder, where it is installed with npm on first use.
pub(super) async fn server(user: Option<&Path>, folder: &DataFolder, output: &Output) -> Result<PathBuf, SystemError> {
    let failed = |reason| SystemError::NoRestateServer { reason };
    match user {
        Some(path) if !path.is_file() => Err(failed(format!("{} is no file", path.display()))),
        Some(path) => path.canonicalize().map_err(|source| SystemError::Data { path: path.to_owned(), source }),
        None => installed(folder, output).await.map_err(failed),
    }
}

async fn installed(folder: &DataFolder, output: &Output) -> Result<PathBuf, String> {
    let package = package(OS, ARCH)?;
    let place = folder.path().join(format!("restate-server-{VERSION}"));
    let program = |folder: &Path| folder.join("node_modules").join(&package).join("bin").join("restate-server");
    if program(&place).is_file() {
        return Ok(program(&place));
    }
    let versioned = format!("{package}@{VERSION}");
    output.note(&format!("installing {versioned} in {}; this takes a minute, once", place.display()));
    // An installation that is cut off is no installation.
    let partial = tempfile::TempDir::new_in(folder.path()).map_err(|error| error.to_string())?;
    let mut arguments: Vec<OsString> = vec!["install".into(), "--prefix".into(), partial.path().into()];
    arguments.extend(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"].map(OsString::from));
    arguments.push(versioned.clone().into());
    call(NAME, Path::new("npm"), &arguments, INSTALLATION, output).await?;
    if !program(partial.path()).is_file() {
        return Err(format!("npm has installed {versioned}, but it has no program"));
    }
    fs::rename(partial.path(), &place).map_err(|error| format!("{} can't be made ({error})", place.display()))?;
    Ok(program(&place))
}

/// Returns the package for a platform.
fn package(os: &str, arch: &str) -> Result<String, String> {
    let os = match os {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return Err(format!("it has no package for {os}")),
    };
    let arch = match arch {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return Err(format!("it has no package for {arch}")),
    };
    Ok(format!("@restatedev/restate-server-{os}-{arch}"))
}

/// Addresses of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    /// Of callers of services.
    pub(super) ingress: SocketAddr,
    /// Of deployments, queries and the page.
    pub(super) admin: SocketAddr,
    /// Of other servers, of which there are none.
    node: SocketAddr,
}

impl Addresses {
    pub(super) async fn new(ports: &mut Ports) -> Result<Self, SystemError> {
        Ok(Self {
            ingress: ports.address(NAME).await?,
            admin: ports.address("restate-admin").await?,
            node: ports.address("restate-node").await?,
        })
    }
}

/// Returns the server with its data in a folder.
pub(super) fn program(server: PathBuf, addresses: Addresses, folder: &Path) -> Program {
    let Addresses { ingress, admin, node } = addresses;
    Program {
        name: NAME.to_owned(),
        executable: "sh".into(),
        arguments: vec!["-c".into(), UNTIL_INPUT_ENDS.into(), server.into(), "--no-logo".into()],
        variables: vec![
            ("RESTATE_BASE_DIR", folder.into()),
            ("RESTATE_CLUSTER_NAME", "travel".into()),
            ("RESTATE_NODE_NAME", "travel".into()),
            // The paths of Unix sockets in the folder could be too long.
            ("RESTATE_LISTEN_MODE", "tcp".into()),
            ("RESTATE_BIND_ADDRESS", node.to_string().into()),
            ("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}/").into()),
            ("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string().into()),
            ("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string().into()),
            ("RESTATE_DEFAULT_NUM_PARTITIONS", "4".into()),
            ("RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE", "256 MiB".into()),
            ("RESTATE_LOG_FILTER", "warn,octocrab=off".into()),
            ("RESTATE_LOG_FORMAT", "compact".into()),
            ("RESTATE_LOG_DISABLE_ANSI_CODES", "true".into()),
            ("DO_NOT_TRACK", "1".into()),
        ],
        address: ingress,
        ready: Some("/restate/health"),
        grace: Duration::from_secs(8),
        // A second request to stop makes it end at once.
        ends_with_input: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_package_of_a_platform() {
        assert_eq!(package("linux", "x86_64").as_deref(), Ok("@restatedev/restate-server-linux-x64"));
        assert_eq!(package("macos", "aarch64").as_deref(), Ok("@restatedev/restate-server-darwin-arm64"));
        assert_eq!(package("windows", "x86_64"), Err("it has no package for windows".to_owned()));
        assert_eq!(package("linux", "riscv64"), Err("it has no package for riscv64".to_owned()));
    }
}
