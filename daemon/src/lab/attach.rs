//! Connecting a namespace: all of it, or nothing.
//!
//! Theory of operation. The switch's end is plugged in before the inside end comes up, so that
//! not even the first frames that a host sends by itself (MLD reports, neighbour discovery) are
//! lost. Each step that leaves something behind notes it in [`Progress`]; a failure takes the
//! notes back in reverse order.

use std::fs;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use nix::errno::Errno;
use vswitch_netns::veth::MAX_MTU_BYTES;
use vswitch_netns::{
    DuplicateDetection, Link, LinkChange, NETNS_DIR, Namespace, NamespaceError, NamespaceName,
    Netlink, Offloads, OperState, TAG_ASIDE_MARK, VethEnd,
};
use vswitch_switch::bridge::PortId;
use vswitch_switch::frame::MacAddr;
use vswitch_switch::port::{FrameLimit, LinkState};

use super::fit::{Setting, require_ipv6};
use super::kinds::Cable;
use super::origin::Origin;
use super::plan::Plan;
use super::{Lab, LabError, Plug};
use crate::broker::Inside;
use crate::subnet::next_free;
use vswitch_control::protocol::{AttachParams, Attached};

/// How long to wait in all for carriers and addresses; then they are taken as they are. The
/// kernel may take a second to note a carrier.
pub(super) const PATIENCE: Duration = Duration::from_millis(1200);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(1);
/// The MTU of a cable, if none is chosen.
const DEFAULT_MTU_BYTES: u32 = 1500;

/// What was made so far.
#[derive(Default)]
struct Progress {
    created: bool,
    outside: Option<Link>,
    port: Option<PortId>,
}

impl Lab {
    /// Connects a namespace to the switch: the one that was `passed`, or the one of that name under
    /// `/run/netns`, which is created if there is none.
    ///
    /// # Errors
    /// See [`LabError`]; nothing is changed then, and nothing left behind.
    pub(crate) fn attach(
        &mut self,
        params: &AttachParams,
        passed: Option<OwnedFd>,
    ) -> Result<Attached, LabError> {
        let mut plan = Plan::new(params, self.subnet)?;
        self.namespaces.require()?;
        self.read_news();
        self.refuse_taken(plan.namespace.as_str(), &plan.addresses)?;
        let mut progress = Progress::default();
        let made = self.make(&mut plan, passed, params.give_address, &mut progress);
        if made.is_err() {
            self.take_back(&plan, progress);
        }
        let attached = made?;
        log::info!(
            "attached the namespace {} as port {} ({})",
            plan.namespace,
            attached.id,
            plan.outside
        );
        Ok(attached)
    }

    /// Refuses an address that another namespace on this switch was given.
    pub(super) fn refuse_taken(&mut self, to: &str, wanted: &[IpNet]) -> Result<(), LabError> {
        for (id, address, namespace) in self.others_with(to, wanted) {
            if !self.await_end(id)? {
                return Err(LabError::AddressTaken { address, namespace });
            }
        }
        Ok(())
    }

    /// The ports of other namespaces that have one of these addresses.
    fn others_with(&self, to: &str, wanted: &[IpNet]) -> Vec<(PortId, IpAddr, String)> {
        let is_wanted = |taken: &&IpNet| {
            let mut wanted = wanted.iter();
            wanted.any(|address| address.addr() == taken.addr())
        };
        let clash = |(id, plug): (&PortId, &Plug)| {
            let cable = plug.kind.cable()?;
            if plug.link == LinkState::Absent || cable.namespace == to {
                return None;
            }
            let taken = cable.addresses.iter().find(is_wanted)?;
            Some((*id, taken.addr(), cable.namespace.clone()))
        };
        self.plugs.iter().filter_map(clash).collect()
    }

    fn next_address(&self) -> Result<Option<IpNet>, LabError> {
        let Some(subnet) = self.subnet else {
            return Ok(None);
        };
        let used = self.used_addresses().collect();
        match next_free(subnet, &used) {
            Some(free) => Ok(Some(free)),
            None => Err(LabError::SubnetFull {
                subnet: subnet.to_string(),
            }),
        }
    }

    fn make(
        &mut self,
        plan: &mut Plan,
        passed: Option<OwnedFd>,
        give_address: bool,
        progress: &mut Progress,
    ) -> Result<Attached, LabError> {
        let inside = self.open_inside(plan, passed)?;
        progress.created = inside.created;
        self.refuse_attached(plan, &inside)?;
        self.refuse_mac(plan)?;
        if plan.addresses.is_empty() && give_address {
            plan.addresses.extend(self.next_address()?);
        }
        self.connect(plan, inside, progress)
    }

    fn open_inside(&mut self, plan: &Plan, passed: Option<OwnedFd>) -> Result<Inside, LabError> {
        if let Some(passed) = passed {
            return self.adopt(plan, passed);
        }
        // A number is a process that is meant, more often than a name.
        let is_number = plan.namespace.as_str().bytes().all(|b| b.is_ascii_digit());
        let opened = self
            .namespaces
            .open(&plan.namespace, plan.create && !is_number);
        opened.map_err(|error| {
            let link = || fs::read_link(path_of(&plan.namespace)).ok();
            match &error {
                LabError::Namespace(NamespaceError::NotFound { name })
                    if is_number && plan.create =>
                {
                    LabError::Number(name.clone())
                }
                LabError::Namespace(NamespaceError::System {
                    errno: Errno::EACCES | Errno::EPERM,
                    ..
                }) => link().map_or(error, |target| LabError::Symlink {
                    name: plan.namespace.to_string(),
                    target: target.to_string_lossy().escape_debug().to_string(),
                }),
                _ => error,
            }
        })
    }

    /// Opens what is needed of a namespace that a client has opened.
    fn adopt(&mut self, plan: &Plan, passed: OwnedFd) -> Result<Inside, LabError> {
        // Asked of the kernel, and not of whatever file system it may be of, which could never answer.
        if let Err(error) = self.netlink.namespace_id(&passed) {
            return Err(match error.errno() {
                Some(Errno::EINVAL | Errno::EBADF) => LabError::Value(
                    "the descriptor that came along is not one of a network namespace".to_owned(),
                ),
                _ => error.into(),
            });
        }
        let inside = match self.namespaces.adopt(&plan.namespace, passed) {
            Err(LabError::Namespace(NamespaceError::System {
                errno: Errno::EPERM,
                ..
            })) => {
                return Err(LabError::Foreign(plan.namespace.to_string()));
            }
            other => other?,
        };
        let named = fs::metadata(path_of(&plan.namespace));
        // Where it can't be looked at it is a link, and not one that was made for another use.
        if named.is_ok_and(|named| {
            named.dev() == inside.namespace.device() && named.ino() != inside.namespace.inode()
        }) {
            return Err(LabError::NameOfAnother(plan.namespace.to_string()));
        }
        Ok(inside)
    }

    fn connect(
        &mut self,
        plan: &Plan,
        inside: Inside,
        progress: &mut Progress,
    ) -> Result<Attached, LabError> {
        let origin = Origin::new(&inside, plan.source.clone());
        let Inside {
            namespace,
            netlink: mut inner,
            offloads,
            announcer,
            ..
        } = inside;
        let outside = self.make_pair(plan, &namespace, progress)?;
        let id = self.plug_in(plan, &outside, progress)?;
        limit_offloads(offloads, plan.inside.as_str());
        let deadline = Instant::now() + PATIENCE;
        let inside = bring_up(&mut inner, plan, deadline)?;
        await_carrier(&mut self.netlink, &outside.name, deadline)?;
        let cable = Cable::new(
            plan.namespace.to_string(),
            plan.inside.to_string(),
            plan.addresses.clone(),
            origin,
        );
        let plug = Plug::new(plan.outside.to_string(), &outside, Box::new(cable));
        self.plugs.insert(id, plug);
        self.note_peer(id, &outside);
        self.announce(id, &mut inner, announcer);
        Ok(Attached {
            namespace: plan.namespace.to_string(),
            created: progress.created,
            port: plan.outside.to_string(),
            id: id.0,
            peer: plan.inside.to_string(),
            mac: inside
                .mac
                .map(|mac| MacAddr(mac).to_string())
                .unwrap_or_default(),
            mtu: inside.mtu_bytes.into(),
            addresses: plan.addresses.clone(),
        })
    }

    fn make_pair(
        &mut self,
        plan: &Plan,
        namespace: &Namespace,
        progress: &mut Progress,
    ) -> Result<Link, LabError> {
        let mut near = VethEnd::new(plan.outside.clone()).group(vswitch_control::marks::GROUP);
        let mut far = VethEnd::new(plan.inside.clone());
        let mtu_bytes = plan.mtu_bytes.unwrap_or(DEFAULT_MTU_BYTES);
        far = far.mtu_bytes(mtu_bytes);
        near = near.mtu_bytes(with_room_for_tags(mtu_bytes));
        if let Some(mac) = plan.mac {
            far = far.mac(mac);
        }
        let outside = self.netlink.create_veth(&near, &far, Some(namespace))?;
        progress.outside = Some(outside.clone());
        let alias = LinkChange::new().alias(self.alias());
        self.netlink.change_link(&outside, &alias)?;
        // Nothing to restore: the pair is ours and ends with the port.
        let _quiet = self.netlink.quiet(&outside)?;
        Ok(outside)
    }

    fn plug_in(
        &mut self,
        plan: &Plan,
        outside: &Link,
        progress: &mut Progress,
    ) -> Result<PortId, LabError> {
        let port = self.prepared_port().open(plan.outside.as_str())?;
        self.netlink.set_up(outside)?;
        let namespace = plan.namespace.as_str();
        self.captions.set(plan.outside.as_str(), Some(namespace));
        let id = self.handle.add_port(port)?;
        progress.port = Some(id);
        self.set_tags_aside(id, outside);
        Ok(id)
    }

    /// Has a port send frames with two tags that are as long as can be; where the kernel cannot, those
    /// are too long.
    pub(super) fn set_tags_aside(&mut self, id: PortId, link: &Link) {
        if let Err(error) = self.netlink.set_tags_aside(link) {
            log::debug!(
                "{}: no room for a second VLAN tag behind full-sized frames: {error}",
                link.name
            );
            return;
        }
        if let Err(error) = self.handle.set_tags_aside(id, Some(TAG_ASIDE_MARK)) {
            log::debug!(
                "the switch is not told how {} takes tags: {error}",
                link.name
            );
        }
    }

    /// Takes an attachment back that could not be kept.
    pub(crate) fn undo_attach(&mut self, attached: &Attached) {
        let undone = self.detach(&attached.namespace, Some(&attached.port));
        let complain = |error: &dyn std::fmt::Display| {
            log::warn!("cannot take back {}: {error}", attached.namespace);
        };
        if let Err(error) = undone {
            complain(&error);
        }
        if attached.created
            && let Ok(name) = NamespaceName::new(&attached.namespace)
            && let Err(error) = self.namespaces.delete(&name)
        {
            complain(&error);
        }
    }

    fn take_back(&mut self, plan: &Plan, progress: Progress) {
        let complain = |what: &str, error: &dyn std::fmt::Display| {
            log::warn!("cannot take back {what} of {}: {error}", plan.namespace);
        };
        if progress.port.is_some()
            && let Err(error) = self.handle.remove_port(plan.outside.as_str())
        {
            complain("the port", &error);
        }
        if let Some(outside) = progress.outside
            && let Err(error) = self.netlink.delete_link(&outside)
        {
            complain("the veth pair", &error);
        }
        if progress.created
            && let Err(error) = self.namespaces.delete(&plan.namespace)
        {
            complain("the namespace", &error);
        }
    }
}

fn path_of(namespace: &NamespaceName) -> PathBuf {
    Path::new(NETNS_DIR).join(namespace.as_str())
}

/// Waits until the kernel has taken note of the carrier: before, IPv6 does nothing, and what is
/// sent through the link vanishes in its first queue, which is none (`noop_qdisc`).
///
/// It does so at once, but where both ends happen to have the same index in their namespaces: then
/// it takes up to a second (`linkwatch_urgent_event` in Linux), unless it is asked
/// about the link (`linkwatch_sync_dev` in `rtnl_getlink`, since Linux 6.9).
fn await_carrier(netlink: &mut Netlink, name: &str, deadline: Instant) -> Result<Link, LabError> {
    let mut link = netlink.link(name)?;
    while link.state != OperState::Up && Instant::now() < deadline {
        std::thread::sleep(INTERVAL);
        link = netlink.link(name)?;
    }
    Ok(link)
}

/// Has the namespace's stack cut up itself what a packet socket could not pass on (SCTP, tunnels).
fn limit_offloads(mut offloads: Offloads, interface: &str) {
    match offloads.keep_describable(interface) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => log::debug!("{interface}: switched off {}", names.join(", ")),
        // TCP and UDP work all the same.
        Err(error) => log::warn!("segmented SCTP and tunnels may be lost: {error}"),
    }
}

/// Brings the inside of a namespace to life: `lo`, the cable's end, its addresses.
fn bring_up(inner: &mut Netlink, plan: &Plan, deadline: Instant) -> Result<Link, LabError> {
    let lo = inner.link("lo")?;
    inner.set_up(&lo)?;
    let inside = inner.link(plan.inside.as_str())?;
    let made = Setting::Default;
    require_ipv6(inner, &inside, &plan.addresses, &plan.namespace, made)?;
    inner.set_up(&inside)?;
    let inside = await_carrier(inner, &inside.name, deadline)?;
    for address in &plan.addresses {
        // The switch's user says who has which address: there is nobody to ask first.
        inner.add_address(&inside, *address, DuplicateDetection::Skip)?;
    }
    for address in &plan.addresses {
        await_address(inner, address.addr(), deadline)?;
    }
    Ok(inside)
}

/// The MTU of the switch's end of a cable whose end inside has this one.
fn with_room_for_tags(mtu_bytes: u32) -> u32 {
    let room = u32::try_from(FrameLimit::TAG_ROOM_BYTES).unwrap_or(0);
    mtu_bytes.saturating_add(room).min(MAX_MTU_BYTES)
}

/// Waits until packets to an address are taken in, so that whoever pings at once gets an answer.
pub(super) fn await_address(
    inner: &mut Netlink,
    address: IpAddr,
    deadline: Instant,
) -> Result<(), LabError> {
    while !inner.leads_here(address)? {
        if Instant::now() >= deadline {
            log::warn!("the address {address} is not in use yet");
            break;
        }
        std::thread::sleep(INTERVAL);
    }
    Ok(())
}
