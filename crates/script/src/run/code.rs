//! Code: what scripts assert about `tcp_info`.

use septet_posix::info_values;

use super::Runner;
use crate::code::{Value, run};
use crate::error::{At, Error};
use crate::names;

impl Runner {
    pub(super) fn code(&mut self, at: At, code: &str) -> Result<(), Error> {
        let subject = self.subject.ok_or_else(|| Error::syntax(at, "there is no socket to ask"))?;
        let info = self.bench.process().info(subject);
        let info = info.map_err(|e| Error::mismatch(at, format!("TCP_INFO: {e}")))?;
        for (name, value) in info_values(&info) {
            self.names.insert(name.to_owned(), Value::Int(value.into()));
        }
        for (name, value) in names::all().filter(|(name, _)| name.starts_with("TCP")) {
            self.names.insert(name.to_owned(), Value::Int(value.into()));
        }
        run(code, &mut self.names).map_err(|(line, message)| {
            let at = At { line: at.line + line, column: 1 };
            Error::mismatch(at, message)
        })
    }
}
