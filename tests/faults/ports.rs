//! Ports that come and go, and what becomes of their interfaces.

use std::time::Instant;

use vswitch_netns::{InterfaceName, LinkChange, Namespace, Netlink};

use super::forwarder::{Res, Rival, delete, lay_cable};
use super::scene::{Host, Scene, VICTIM};
use super::{Fault, Promise};

/// What is promised where the interface of a port comes back.
const BACK: Promise = Promise::back_within_ms(100);

pub(super) fn faults() -> Vec<Fault> {
    let of_port = |name, injected, inject| Fault {
        name,
        injected,
        others: Promise::UNHARMED,
        victim: BACK,
        options: &[],
        needs: None,
        inject,
    };
    vec![
        Fault {
            victim: Promise::UNHARMED,
            ..of_port(
                "attach",
                "another namespace attached and detached, again and again",
                attach,
            )
        },
        of_port(
            "down-up",
            "the interface of a port down, and up again",
            down_up,
        ),
        Fault {
            victim: Promise::NONE_LOST,
            ..of_port(
                "renamed",
                "the interface of a port renamed, and back",
                renamed,
            )
        },
        of_port(
            "moved",
            "the interface of a port moved to another namespace, and back",
            moved,
        ),
        of_port(
            "remade",
            "the veth pair of a port deleted, and made again under its name",
            remade,
        ),
        of_port(
            "namespace-gone",
            "the namespace behind a port deleted, made and attached again",
            namespace_gone,
        ),
    ]
}

fn attach(scene: &mut Scene) -> Res {
    let guest = Host(9);
    guest.ensure()?;
    let start = Instant::now();
    for _ in 0..scene.pace.times {
        scene.switch.attach(guest)?;
        scene.switch.detach(guest)?;
    }
    let each = start.elapsed() / u32::try_from(scene.pace.times).unwrap_or(1);
    scene.note(format!("{} cycles of {each:.1?}", scene.pace.times));
    Ok(())
}

fn here() -> Res<Netlink> {
    Netlink::open().map_err(|error| error.to_string())
}

fn down_up(scene: &mut Scene) -> Res {
    let mut here = here()?;
    let link = here.link(&VICTIM.outside()).map_err(|e| e.to_string())?;
    here.set_down(&link).map_err(|error| error.to_string())?;
    scene.wait(scene.pace.lead);
    here.set_up(&link).map_err(|error| error.to_string())?;
    scene.is_back();
    Ok(())
}

fn renamed(scene: &mut Scene) -> Res {
    let mut here = here()?;
    let mut rename = |from: &str, to: &str| {
        let link = here.link(from).map_err(|error| error.to_string())?;
        let name = InterfaceName::new(to).map_err(|error| error.to_string())?;
        here.change_link(&link, &LinkChange::new().name(name))
            .map_err(|error| error.to_string())
    };
    rename(&VICTIM.outside(), "elsewhere")?;
    scene.wait(scene.pace.lead);
    rename("elsewhere", &VICTIM.outside())?;
    scene.wait(scene.pace.lead);
    Ok(())
}

fn moved(scene: &mut Scene) -> Res {
    let away = Namespace::create_unnamed().map_err(|error| error.to_string())?;
    let back = Namespace::current().map_err(|error| error.to_string())?;
    let name = VICTIM.outside();
    let mut here = here()?;
    let link = here.link(&name).map_err(|error| error.to_string())?;
    here.change_link(&link, &LinkChange::new().namespace(&away))
        .map_err(|error| error.to_string())?;
    scene.wait(scene.pace.lead);
    let mut there = Netlink::open_in(&away).map_err(|error| error.to_string())?;
    let link = there.link(&name).map_err(|error| error.to_string())?;
    there
        .change_link(&link, &LinkChange::new().namespace(&back))
        .map_err(|error| error.to_string())?;
    // The kernel takes an interface down when it moves it.
    let link = here.link(&name).map_err(|error| error.to_string())?;
    here.set_up(&link).map_err(|error| error.to_string())?;
    scene.is_back();
    Ok(())
}

fn remade(scene: &mut Scene) -> Res {
    scene.station(VICTIM).use_port(None);
    delete(&VICTIM.outside())?;
    scene.wait(scene.pace.lead);
    lay_cable(VICTIM)?;
    if scene.rival == Rival::Bridge {
        // A bridge forgets; somebody has to plug it in.
        scene.switch.add_port(&VICTIM.outside())?;
        scene.note("plugged in again by hand");
    }
    scene.is_back();
    scene.reopen(VICTIM)
}

fn namespace_gone(scene: &mut Scene) -> Res {
    scene.station(VICTIM).use_port(None);
    Namespace::delete(&VICTIM.name()).map_err(|error| error.to_string())?;
    // The kernel takes its time.
    let mut here = here()?;
    let gone = crate::harness::wait_until(crate::harness::PATIENCE, || {
        matches!(here.find_link(&VICTIM.outside()), Ok(None))
    });
    if !gone {
        return Err("the interface outlives its namespace".to_owned());
    }
    scene.wait(scene.pace.lead);
    if scene.rival == Rival::Ovs {
        // Its port is still there, without an interface.
        let _ = scene.switch.detach(VICTIM);
    }
    scene.make(VICTIM)?;
    scene.is_back();
    scene.reopen(VICTIM)
}
