//! `septet serve --services FILE --sockets`: the services of a lab file's host on this machine's own sockets.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use septet_live::kernel::KernelNet;
use septet_live::machine::Machine;
use septet_service::{Site, of_file};

use super::up::quit;
use crate::exit::{Exit, Failure, environment};
use crate::lab_file;
use crate::terminal::tell;

/// Serves until somebody interrupts it. What cannot be served is told.
pub(super) fn on_sockets(file: &Path, ca: Option<&Path>) -> Result<Exit, Failure> {
    let text = lab_file::read(file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    runtime.block_on(async {
        let net = KernelNet::new().map_err(environment)?.on_note(|note| {
            if note.kind == "service.failed" {
                let fields: Vec<String> = note.fields.iter().map(|(name, value)| format!("{name} {value}")).collect();
                tell!("septet: a service failed: {}", fields.join(", "));
            }
        });
        let net = net.into_net();
        let mut machine = Machine::new(net.clone());
        let (services, warnings) = match of_file(&file.display().to_string(), &text, &machine) {
            Ok(read) => read,
            Err(mistakes) => {
                lab_file::show(&mistakes);
                return Err(Failure::told(Exit::Lab));
            }
        };
        if !warnings.is_empty() {
            lab_file::show(&warnings);
        }
        if let Some(service) = services.iter().find(|service| !service.doors().is_empty()) {
            return Err(Failure::lab(format!("{}: a door leads out of a lab, and here is none", service.name())));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let founded = machine.found(services.iter().map(|service| &**service), now);
        founded.map_err(|e| Failure::environment(e.to_string()))?;
        if let (Some(path), Some(authority)) = (ca, machine.authority()) {
            fs::write(path, authority.root_pem()).map_err(|e| Failure::file("write", path, &e))?;
        }
        for service in &services {
            service.start(&machine).map_err(|e| Failure::environment(e.to_string()))?(net.clone());
            let ports: Vec<String> = service.ports().iter().map(u16::to_string).collect();
            println!("{} on {}", service.name(), ports.join(", "));
        }
        quit().map_err(environment)?.await;
        Ok(Exit::Interrupted)
    })
}
