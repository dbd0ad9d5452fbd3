//! Endpoints by DNS: the SRV records of a domain say where the members are.

use retcd_discovery::srv::{Dns, client_endpoints};

/// URLs of the members of a domain, in the order in which they should be tried.
///
/// Flags are read by functions that don't await anything, on the runtime's own thread, so this has
/// a thread and a runtime to itself.
///
/// # Errors
///
/// Neither of the service's two names has records.
pub(super) fn endpoints(domain: &str, service: &str) -> Result<Vec<String>, String> {
    let look_up = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let dns = Dns::of_system();
        let found = runtime.block_on(client_endpoints(&dns, domain, service));
        found.map_err(|error| error.to_string())
    };
    std::thread::scope(|scope| match scope.spawn(look_up).join() {
        Ok(found) => found,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
