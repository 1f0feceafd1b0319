//! Finding a lab whose keeper was killed.

use std::io;

use super::UserLabError;
use super::namespaces::Namespaces;
use vswitch_control::client::Client;
use vswitch_control::runtime_dir::RuntimeDir;

/// The namespaces of a living switch that runs in a lab, if there is one.
pub(super) fn through_a_switch(runtime: &RuntimeDir) -> Result<Option<Namespaces>, UserLabError> {
    for name in runtime.switches()? {
        if let Ok(mut client) = Client::connect(runtime, &name)
            && let Ok(namespaces) = of_switch(&mut client)
            && !namespaces.are_ours().map_err(UserLabError::Enter)?
        {
            return Ok(Some(namespaces));
        }
    }
    Ok(None)
}

fn of_switch(client: &mut Client) -> io::Result<Namespaces> {
    let process = client.process()?;
    let process = process.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let namespaces = Namespaces::of(&process.to_string())?;
    // The process that answers now has been there all the time: its number was not another's.
    client.show().map_err(io::Error::other)?;
    Ok(namespaces)
}
