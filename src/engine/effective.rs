//! The active configuration in a form for people. How it is written is the format's.

use core::fmt;

use super::document::Document;
use super::lens::Lens;

/// The configuration of a [`Snapshot`](crate::Snapshot), merged from all of its layers,
/// as YAML. It prints; `write!` sends it to any writer.
///
/// Every line ends with a comment that says where it comes from: a file with line and
/// column, `environment variable APP_PORT`, or `set in code`. That is what
/// [`Snapshot::origin`](crate::Snapshot::origin) says of the field. It is worked out when
/// it is printed, from what was kept when the layers were read: nothing is parsed.
///
/// - It has what the layers say, as they say it: no field that has its default from the
///   type, and nothing that the program changed later.
/// - Secrets are `"[redacted]"`, where a [`Diff`](crate::report::Diff) masks them, and so is a
///   scalar with a tag of your own (`!fast 5`), whose tag may be a password without
///   quotes. A key that equals a secret is masked, too. A masked key has the number
///   of its entry, as in `"[redacted] #2"`.
/// - Where nothing is masked, it reads back as the same value, by this crate and by
///   others. Aliases are written out. A string of several lines is a block, and the
///   comment stands at its first line. A TOML date is a string, and a tag from YAML's own
///   namespace is left out unless the value depends on it.
/// - After 8 MiB, the rest is left out, which the last line says.
///
/// `Debug` prints nothing of it.
///
#[cfg_attr(feature = "yaml", doc = "```")]
#[cfg_attr(not(feature = "yaml"), doc = "```ignore")]
/// # use std::time::Duration;
/// use steadyconf::engine::{Document, Engine, Layer};
/// use steadyconf::format::Yaml;
///
/// # #[derive(serde::Deserialize)]
/// # struct Server { host: String, port: u16 }
/// # #[derive(serde::Deserialize)]
/// # struct Config { server: Server, api_key: String }
/// let base = "server:\n  host: a\n  port: 80\napi_key: sk-123\n";
/// let mut engine = Engine::<Config>::new(Yaml::new());
/// engine.apply(
///     Document::new([
///         Layer::new("config.yaml", base.as_bytes()),
///         Layer::new("site.yaml", *b"server: {port: 8080}"),
///     ]),
///     Duration::ZERO,
/// );
/// let snapshot = engine.active().ok_or("rejected")?;
/// let effective = snapshot.effective().ok_or("the format keeps no places")?;
/// assert_eq!(
///     effective.to_string(),
///     r#"server:                         # site.yaml:1:9
///   host: a                       # config.yaml:2:9
///   port: 8080                    # site.yaml:1:16
/// api_key: "[redacted]"           # config.yaml:4:10
/// "#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Effective {
    lens: Lens,
    document: Document,
}

impl Effective {
    pub(crate) fn new(lens: &Lens, document: &Document) -> Self {
        Effective {
            lens: lens.clone(),
            document: document.clone(),
        }
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.lens.tree {
            Some(tree) => tree.write_effective(&self.document, &self.lens.masks, f),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effective").finish_non_exhaustive()
    }
}
