//! A document that a real web server serves from a file which is replaced.

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{DEADLINE, ms, save, wait_until};
use steadyconf::{Outcome, Reloader, Source};
use tempfile::TempDir;

#[derive(serde::Deserialize)]
struct Config {
    name: String,
}

/// nginx on the loopback, with a folder of its own.
struct Nginx {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Nginx {
    /// Returns none, and says so, where nginx is not installed.
    fn start() -> Option<Self> {
        let quiet = |command: &mut Command| command.stderr(Stdio::null()).status().is_ok();
        if !quiet(Command::new("nginx").arg("-v")) {
            eprintln!("SKIPPED: nginx is not installed here");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        // Its workers may run as another user.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let at = folder.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};"));
        let conf = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
            events {{}}
            http {{ access_log {at}/access.log; {} server {{
                listen 127.0.0.1:{port}; root {at}/www; }} }}",
            temporary.concat()
        );
        fs::write(folder.path().join("nginx.conf"), conf).unwrap();
        fs::create_dir(folder.path().join("www")).unwrap();
        let mut nginx = Nginx {
            folder,
            port,
            child: None,
        };
        nginx.run();
        Some(nginx)
    }

    fn run(&mut self) {
        let child = Command::new("nginx")
            .arg("-c")
            .arg(self.folder.path().join("nginx.conf"))
            .arg("-p")
            .arg(self.folder.path())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
        let address = ("127.0.0.1", self.port);
        wait_until("nginx listens", || {
            std::net::TcpStream::connect(address).is_ok()
        });
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("www/app.yaml")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/app.yaml", self.port)
    }

    /// How often it answered so.
    fn answered(&self, status: u16) -> usize {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.matches(&format!("HTTP/1.1\" {status} ")).count()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

fn name(path: &Path, name: &str) {
    save(path, &format!("name: {name}\n"));
}

#[test]
fn g07_a_file_that_is_replaced_behind_nginx_is_seen() {
    let Some(mut nginx) = Nginx::start() else {
        return;
    };
    let path = nginx.path();
    name(&path, "one");
    let builder = Reloader::<Config>::builder().source(Source::http(nginx.url()).every(ms(50)));
    let reloader = builder.settle(ms(5)).interval(ms(5)).load().unwrap();
    reloader.start().unwrap();
    let sees = |text: &str| wait_until(text, || reloader.handle().load().name == text);
    sees("one");
    // Of the same size within the same second: an ETag of nginx's does not tell them apart.
    name(&path, "two");
    sees("two");
    name(&path, "six");
    sees("six");
    wait_until("its time is old enough to be believed", || {
        nginx.answered(304) > 2
    });
    name(&path, "ten");
    sees("ten");
    // A bad one is rejected, and one that is gone makes it stale.
    fs::write(&path, "nam: x\n").unwrap();
    wait_until("it is rejected", || reloader.status().rejections == 1);
    fs::remove_file(&path).unwrap();
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    assert_eq!(reloader.handle().load().name, "ten");
    nginx.kill();
    name(&path, "new");
    nginx.run();
    assert!(matches!(
        reloader.reload(DEADLINE).outcome,
        Ok(Outcome::Applied(_) | Outcome::Unchanged)
    ));
    sees("new");
    assert!(reloader.status().is_healthy(), "{}", reloader.status());
    // It is not restless: each change was one version.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(reloader.handle().load().version().get(), 5);
}
