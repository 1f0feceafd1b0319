//! What runs out, is full, or is torn.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::statvfs;
use serde_json::json;
use vswitch_netns::{InterfaceName, Netlink, VethEnd};

use super::clients::{descriptors, memory};
use super::forwarder::{CANNOT, Client, Res};
use super::scene::{Host, Scene};
use super::vswitch::{NAME, Vswitch};
use super::{Fault, Promise};
use crate::harness::program::runtime_dir;
use crate::harness::sys::limit_of;

pub(super) fn faults() -> Vec<Fault> {
    let of_others = |name, injected, inject| Fault {
        name,
        injected,
        others: Promise::UNHARMED,
        victim: Promise::UNHARMED,
        options: &[],
        needs: None,
        inject,
    };
    vec![
        of_others(
            "descriptors",
            "no descriptor left for the switch (RLIMIT_NOFILE), and something to attach",
            no_descriptors,
        ),
        of_others(
            "memory",
            "no memory left for the switch (RLIMIT_AS), and much to do",
            no_memory,
        ),
        of_others(
            "interfaces",
            "a thousand interfaces that appear and vanish",
            interfaces,
        ),
        of_others("full-disk", "the file system of the state full", full_disk),
        Fault {
            others: Promise::ORDER,
            victim: Promise::ORDER,
            ..of_others(
                "torn-state",
                "kill -9, and half of the state file gone",
                torn_state,
            )
        },
        of_others(
            "parallel",
            "32 clients that attach and detach at the same time",
            parallel,
        ),
    ]
}

/// The switch as this program's, or no fault for it.
fn pid(scene: &mut Scene) -> Res<u32> {
    match scene.switch.as_vswitch() {
        Some(_) => scene.switch.pid().ok_or_else(|| CANNOT.to_owned()),
        None => Err(CANNOT.to_owned()),
    }
}

/// One more host, which the switch may refuse; what it says then.
fn attach_another(scene: &mut Scene, host: Host) -> Res<Option<String>> {
    host.ensure()?;
    Ok(scene.switch.attach(host).err())
}

/// Once the limit is lifted, a host is attached as if nothing had been.
fn attach_again(scene: &mut Scene) -> Res {
    match attach_another(scene, Host(9))? {
        Some(why) => Err(format!("not again: {why}")),
        None => scene.switch.detach(Host(9)),
    }
}

/// The limit of descriptors below which a process has so many numbers left.
fn limit_with_free(pid: u32, free: usize) -> Res<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|error| error.to_string())?;
    let open: HashSet<u64> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let mut numbers = (0..).filter(|number| !open.contains(number));
    numbers.nth(free).ok_or_else(|| CANNOT.to_owned())
}

fn no_descriptors(scene: &mut Scene) -> Res {
    let pid = pid(scene)?;
    // Enough for the client that asks, too few for a port.
    let limit = limit_with_free(pid, 3)?;
    let former = limit_of(pid, libc::RLIMIT_NOFILE, limit).map_err(|e| e.to_string())?;
    let refused = attach_another(scene, Host(9))?;
    scene.wait(Duration::from_millis(300));
    limit_of(pid, libc::RLIMIT_NOFILE, former).map_err(|error| error.to_string())?;
    match refused {
        Some(why) => scene.note(format!("refused: {why}")),
        // It had some in reserve, for a port that was prepared.
        None => scene.switch.detach(Host(9))?,
    }
    attach_again(scene)?;
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|error| error.to_string())?;
    let files = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let kept = files.filter(|file| file.ends_with(Host(9).name())).count();
    scene.expect(kept == 0, format!("{kept} namespaces are still open"));
    Ok(())
}

fn no_memory(scene: &mut Scene) -> Res {
    let pid = pid(scene)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib: u64 = size
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    // Room for messages, none for another ring.
    let most = (kib + 1024) * 1024;
    let former = limit_of(pid, libc::RLIMIT_AS, most).map_err(|error| error.to_string())?;
    let mut refused = Vec::new();
    for number in 9..13 {
        refused.extend(attach_another(scene, Host(number))?);
    }
    let _ = Vswitch::call("fdb.show", json!({}))?;
    scene.wait(Duration::from_millis(300));
    limit_of(pid, libc::RLIMIT_AS, former).map_err(|error| error.to_string())?;
    scene.note(match refused.first() {
        Some(first) => format!("{} of 4 refused: {first}", refused.len()),
        None => "4 more ports, without a ring of their own".to_owned(),
    });
    for number in 9..13 {
        let _ = scene.switch.detach(Host(number));
    }
    attach_again(scene)
}

fn interfaces(scene: &mut Scene) -> Res {
    // A bridge has none.
    let pid = scene.switch.pid();
    let measure = || pid.map_or((0, 0), |pid| (memory(pid), descriptors(pid)));
    let (before, open) = measure();
    let count = if scene.pace.times > 10 { 500 } else { 100 };
    let mut here = Netlink::open().map_err(|error| error.to_string())?;
    let end = |name: String| {
        InterfaceName::new(&name)
            .map(VethEnd::new)
            .map_err(|e| e.to_string())
    };
    let start = Instant::now();
    for number in 0..count {
        let (one, other) = (end(format!("one{number}"))?, end(format!("other{number}"))?);
        here.create_veth(&one, &other, None)
            .map_err(|error| error.to_string())?;
    }
    for number in 0..count {
        let link = here
            .link(&format!("one{number}"))
            .map_err(|e| e.to_string())?;
        here.delete_link(&link).map_err(|error| error.to_string())?;
    }
    scene.note(format!(
        "{} came and went in {:.1?}",
        2 * count,
        start.elapsed()
    ));
    if scene.switch.as_vswitch().is_some() {
        let start = Instant::now();
        Vswitch::show()?;
        scene.note(format!("'show' after {:.1?}", start.elapsed()));
    }
    let (memory, now) = measure();
    scene.note(format!("{} KiB more", memory.saturating_sub(before) / 1024));
    scene.expect(now <= open + 1, format!("{now} descriptors, {open} before"));
    Ok(())
}

/// Gives the file system of the runtime directory so much room beside what is in it.
fn leave_room(bytes: u64) -> Res {
    let used = statvfs("/run").map_err(|error| format!("/run: {error}"))?;
    let used = (used.blocks() - used.blocks_free()) * used.fragment_size();
    let options = format!("size={}", used + bytes);
    let flags = MsFlags::MS_REMOUNT;
    mount(
        None::<&str>,
        "/run",
        None::<&str>,
        flags,
        Some(options.as_str()),
    )
    .map_err(|error| format!("cannot give /run another size: {error}"))
}

/// The runtime directory of a scene is on a file system of its own, which can be filled.
fn full_disk(scene: &mut Scene) -> Res {
    pid(scene)?;
    // As it is: the state is written beside itself, so there must be room for two.
    leave_room(1 << 20)?;
    let filler = "/run/filler";
    let mut size = 1 << 20;
    let mut filled = Vec::new();
    while size >= 1 {
        let more = vec![0; size];
        let mut all = filled.clone();
        all.extend_from_slice(&more);
        if fs::write(filler, &all).is_ok() {
            filled = all;
        } else {
            let _ = fs::write(filler, &filled);
            size /= 2;
        }
    }
    let refused = Vswitch::call(
        "fdb.add",
        json!({"mac": "02:00:00:00:09:09", "port": "h1-vsw"}),
    );
    scene.wait(Duration::from_millis(300));
    fs::remove_file(filler).map_err(|error| error.to_string())?;
    // In a soak the log goes on growing there for hours.
    leave_room(64 << 20)?;
    match refused {
        Err(error) => scene.note(format!("refused: {error}")),
        Ok(_) => scene.expect(false, "a change that cannot have been kept is acknowledged"),
    }
    let again = Vswitch::call(
        "fdb.add",
        json!({"mac": "02:00:00:00:09:09", "port": "h1-vsw"}),
    );
    scene.expect(again.is_ok(), format!("{again:?}"));
    // What is kept already could be acknowledged without being written.
    let gone = Vswitch::call("fdb.del", json!({"mac": "02:00:00:00:09:09"}));
    scene.expect(gone.is_ok(), format!("{gone:?}"));
    Ok(())
}

fn torn_state(scene: &mut Scene) -> Res {
    pid(scene)?;
    let Some(switch) = scene.switch.as_vswitch() else {
        return Err(CANNOT.to_owned());
    };
    switch.kill()?;
    let file = runtime_dir().join(NAME).join("state");
    let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    fs::write(&file, &text[..text.len() / 2]).map_err(|error| error.to_string())?;
    let ran = switch.run_again();
    let words = switch.daemon.last_words();
    ran?;
    let ports = Vswitch::show()?["ports"].as_array().map_or(0, Vec::len);
    scene.is_back();
    // The last good version is at most one change older.
    scene.expect(ports >= 3, format!("{ports} ports are left"));
    scene.note(format!("{ports} of 4 ports are back; {words}"));
    for number in 1..=4 {
        if Vswitch::port(&Host(number).outside()).is_err() {
            scene.switch.attach(Host(number))?;
            scene.reopen(Host(number))?;
        }
    }
    Ok(())
}

fn parallel(scene: &mut Scene) -> Res {
    let times = scene.pace.times.min(50);
    let is_ours = scene.switch.as_vswitch().is_some();
    let descriptors = |scene: &Scene| scene.switch.pid().map_or(0, descriptors);
    let open = descriptors(scene);
    let before = if is_ours { port_names()?.len() } else { 0 };
    for number in 100..132 {
        Host(number).ensure()?;
    }
    let clients: Vec<_> = (100..132)
        .map(|number| Ok((Host(number), scene.switch.client()?)))
        .collect::<Res<_>>()?;
    let one = |host: Host, mut client: Box<dyn Client>| -> Res {
        for _ in 0..times {
            client.attach(host)?;
            client.detach(host)?;
        }
        client.attach(host)
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = clients
            .into_iter()
            .map(|(host, client)| scope.spawn(move || one(host, client)))
            .collect();
        let results = clients.into_iter().map(std::thread::ScopedJoinHandle::join);
        results
            .into_iter()
            .try_for_each(|result| result.unwrap_or_else(|_| Err("a client panicked".to_owned())))
    })?;
    if is_ours {
        let names = port_names()?;
        scene.expect(
            names.len() == before + 32,
            format!("32 more than {before} were attached, but there are {names:?}"),
        );
    }
    for number in 100..132 {
        scene.switch.detach(Host(number))?;
    }
    let now = descriptors(scene);
    scene.expect(
        now <= open + 34,
        format!("{now} descriptors, {open} before"),
    );
    scene.note(format!("{} cycles", 32 * times));
    Ok(())
}

fn port_names() -> Res<Vec<String>> {
    let shown = Vswitch::show()?;
    let ports = shown["ports"].as_array().into_iter().flatten();
    Ok(ports.map(|port| port["name"].to_string()).collect())
}
