//! The status in the text format of Prometheus, with the names that programs which reload
//! their configuration use (Prometheus itself, Alertmanager).

use alloc::string::String;
use core::fmt::{self, Display, Write as _};
use core::time::Duration;

use super::digest::Hex;
use super::error::Stage;
use super::status::Status;

impl Status {
    /// Returns the metrics of this status in the
    /// [text format](https://prometheus.io/docs/instrumenting/exposition_formats/) of
    /// Prometheus, to be served as they are or with others. Names begin with `prefix`, the
    /// name of the program, in which any character that a name cannot have becomes `_`.
    ///
    /// | name, after the prefix | what |
    /// |---|---|
    /// | `_config_last_reload_successful` | 1 if [`is_healthy`](Self::is_healthy), else 0 |
    /// | `_config_last_reload_success_timestamp_seconds` | the last poll that found the source and the active configuration to be the same |
    /// | `_config_applied_timestamp_seconds` | when the active configuration became active |
    /// | `_config_info{sha256}` | 1; a fleet agrees if there is one `sha256` only |
    /// | `_config_version` | the version, which begins anew with the program |
    /// | `_config_reloads_total{outcome,stage}` | `applied`, `rejected` by stage, `rolled_back`, `source_error`, each counted when it begins |
    /// | `_config_consecutive_failures` | polls in a row that ended in a failure |
    /// | `_config_source_differs` | 1 if the source shows something else than is active |
    /// | `_config_stale_sources` | sources that cannot be had, while what they held last stays in force |
    /// | `_config_staggered` | 1 while new content waits for the turn of this instance |
    /// | `_config_quarantined` | 1 while the source shows what was rolled back from |
    /// | `_config_from_last_known_good` | 1 while the last known good of an earlier run is active |
    /// | `_config_pending_restart` | 1 while a change waits for a restart |
    /// | `_config_listener_errors` | listeners that failed to take the active configuration into use |
    /// | `_config_poll_running_seconds` | how long the poll under way has lasted; one that grows hangs |
    ///
    /// Without a clock, as for an engine alone, what is a timestamp is left out.
    ///
    /// ```
    /// let metrics = steadyconf::Status::default().prometheus("my-app");
    /// assert!(metrics.contains("\nmy_app_config_last_reload_successful 0\n"));
    /// ```
    #[must_use]
    pub fn prometheus(&self, prefix: &str) -> String {
        let mut text = Text::new(prefix);
        let healthy = self.is_healthy();
        text.gauge(
            "last_reload_successful",
            "1 if nothing is wrong with the source or the active configuration, else 0.",
            u8::from(healthy),
        );
        text.timestamp(
            "last_reload_success_timestamp_seconds",
            "When the source was last found to show the active configuration.",
            self.last_success.and_then(|at| self.since_epoch(at)),
        );
        text.timestamp(
            "applied_timestamp_seconds",
            "When the active configuration became active.",
            self.applied_at.and_then(|at| self.since_epoch(at)),
        );
        self.write_what_is_active(&mut text);
        self.write_totals(&mut text);
        self.write_troubles(&mut text);
        text.text
    }

    fn write_what_is_active(&self, text: &mut Text) {
        if let (Some(digest), Some(version)) = (self.digest, self.version) {
            text.head("info", "gauge", "Which configuration is active.");
            let sha256 = Hex(digest.as_bytes());
            text.sample("info", &format_args!("{{sha256=\"{sha256}\"}}"), &1);
            let help = "The version of the active configuration.";
            text.gauge("version", help, version.get());
        }
    }

    fn write_totals(&self, text: &mut Text) {
        let name = "reloads_total";
        let help = "The outcomes of new content, of rollbacks and of reading.";
        text.head(name, "counter", help);
        let mut of = |outcome: &str, total: u64| {
            text.sample(name, &format_args!("{{outcome=\"{outcome}\"}}"), &total);
        };
        of("applied", self.reloads);
        of("rolled_back", self.rollbacks);
        of("source_error", self.source_errors);
        for stage in Stage::ALL {
            let total = self.rejections_at(stage);
            text.sample(
                name,
                &format_args!("{{outcome=\"rejected\",stage=\"{stage}\"}}"),
                &total,
            );
        }
    }

    fn write_troubles(&self, text: &mut Text) {
        text.gauge(
            "consecutive_failures",
            "Polls in a row that ended in a failure.",
            self.consecutive_failures,
        );
        text.gauge(
            "source_differs",
            "1 if the source shows something else than is active, else 0.",
            u8::from(self.source_differs),
        );
        text.gauge(
            "stale_sources",
            "Sources that cannot be had, while what they held last stays in force.",
            self.stale.len(),
        );
        text.gauge(
            "staggered",
            "1 while new content waits for the turn of this instance, else 0.",
            u8::from(self.staggered_until.is_some()),
        );
        text.gauge(
            "quarantined",
            "1 while the source shows what was rolled back from, else 0.",
            u8::from(self.quarantined.is_some()),
        );
        text.gauge(
            "from_last_known_good",
            "1 while the last known good of an earlier run is active, else 0.",
            u8::from(self.from_last_good),
        );
        text.gauge(
            "pending_restart",
            "1 while a change waits for a restart of the program, else 0.",
            u8::from(self.pending_restart.is_some()),
        );
        text.gauge(
            "listener_errors",
            "Listeners that failed to take the active configuration into use.",
            self.listener_errors.len(),
        );
        let running = self.in_poll_since.zip(self.clock);
        let running = running.map(|(since, clock)| clock.now.saturating_sub(since));
        text.gauge(
            "poll_running_seconds",
            "How long the poll under way has lasted.",
            Seconds(running.unwrap_or_default()),
        );
    }
}

/// The text as it grows. Writing to a `String` cannot fail.
struct Text {
    prefix: String,
    text: String,
}

impl Text {
    fn new(prefix: &str) -> Self {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
        let mut name = String::new();
        if prefix.starts_with(|c: char| c.is_ascii_digit()) {
            name.push('_');
        }
        name.extend(prefix.chars().map(|c| match c {
            c if is_letter(c) || c.is_ascii_digit() => c,
            _ => '_',
        }));
        if !name.is_empty() {
            name.push('_');
        }
        Text {
            prefix: name,
            text: String::new(),
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let prefix = &self.prefix;
        let _ = writeln!(self.text, "# HELP {prefix}config_{name} {help}");
        let _ = writeln!(self.text, "# TYPE {prefix}config_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &dyn Display, value: &dyn Display) {
        let prefix = &self.prefix;
        let _ = writeln!(self.text, "{prefix}config_{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, &"", &value);
    }

    fn timestamp(&mut self, name: &str, help: &str, since_epoch: Option<Duration>) {
        if let Some(since_epoch) = since_epoch {
            self.gauge(name, help, Seconds(since_epoch));
        }
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
