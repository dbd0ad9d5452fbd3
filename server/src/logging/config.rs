//! `--logger`, `--log-level` and `--log-outputs`.

use std::path::PathBuf;

use super::line::Level;

/// Where messages go, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Messages below this level are dropped.
    pub level: Level,
    /// Where the others go; never empty, without duplicates.
    pub outputs: Vec<LogOutput>,
}

/// A place for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file that is appended to.
    File(PathBuf),
}

impl Default for LogConfig {
    /// Informational messages to standard error: before the flags are read.
    fn default() -> LogConfig {
        LogConfig { level: Level::Info, outputs: vec![LogOutput::Stderr] }
    }
}

impl LogConfig {
    /// Checks what the flags say. The errors are etcd's.
    pub fn new(logger: &str, level: &str, outputs: Vec<String>) -> Result<LogConfig, String> {
        match logger {
            "zap" => {}
            "capnslog" => return Err("--logger=capnslog is removed in v3.5".to_owned()),
            other => return Err(format!("unknown logger option {other:?}")),
        }
        if outputs.len() > 1 && outputs.iter().any(|output| output == "default") {
            return Err("multi logoutput for \"default\" is not supported yet".to_owned());
        }
        let mut places = Vec::new();
        for output in outputs {
            let place = match output.as_str() {
                "default" | "stderr" => LogOutput::Stderr,
                "stdout" => LogOutput::Stdout,
                "systemd/journal" => {
                    return Err("--log-outputs=systemd/journal: the journal is not available in \
                                this version yet; systemd takes standard error into it"
                        .to_owned());
                }
                path => LogOutput::File(PathBuf::from(path)),
            };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.is_empty() {
            places.push(LogOutput::Stderr);
        }
        let level = Level::parse(level).ok_or_else(|| format!("unrecognized level: {level:?}"))?;
        Ok(LogConfig { level, outputs: places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(texts: &[&str]) -> Result<Vec<LogOutput>, String> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        LogConfig::new("zap", "info", texts).map(|config| config.outputs)
    }

    #[test]
    fn outputs_are_known_by_name_or_are_files() {
        assert_eq!(outputs(&["default"]), Ok(vec![LogOutput::Stderr]));
        assert_eq!(outputs(&[]), Ok(vec![LogOutput::Stderr]));
        assert_eq!(
            outputs(&["a.log", "stderr", "stdout", "a.log"]),
            Ok(
                vec![LogOutput::File(PathBuf::from("a.log")), LogOutput::Stderr, LogOutput::Stdout,]
            )
        );
        assert!(outputs(&["systemd/journal"]).is_err());
    }

    #[test]
    fn errors_read_as_in_etcd() {
        let error = |logger: &str, level: &str, outputs: &[&str]| {
            let outputs = outputs.iter().map(|text| (*text).to_owned()).collect();
            LogConfig::new(logger, level, outputs).expect_err("refused")
        };
        assert_eq!(error("foo", "info", &[]), "unknown logger option \"foo\"");
        assert_eq!(error("capnslog", "info", &[]), "--logger=capnslog is removed in v3.5");
        assert_eq!(
            error("zap", "info", &["default", "foo"]),
            "multi logoutput for \"default\" is not supported yet"
        );
        assert_eq!(error("zap", "foo", &[]), "unrecognized level: \"foo\"");
    }
}
