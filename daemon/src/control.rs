//! What the daemon does when it is asked, or when something happens to it.

use std::io::PipeReader;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use vswitch_switch::control::ControlError;

use super::alarms::Alarms;
use super::capture::{self, Captures, Prepared};
use super::ending::Ending;
use super::events::{self, Hub, Seat};
use super::explain;
use super::fault;
use super::fdb::{Reading, Readings, Snapshot};
use super::guard::Guard;
use super::handover::Succession;
use super::handover::waiter::Herald;
use super::lab::{Lab, LabError};
use super::news::Line;
use super::notify::Notifier;
use super::server::{Passed, Service};
use super::state::{Options, StateError, StateFile, Stations};
use super::watchdog::Watchdog;
use crate::metrics::Endpoint;
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::protocol::{
    AttachParams, Call, CaptureParams, DetachParams, ErrorCode, ErrorObject, ExplainParams,
    FdbFlushParams, FdbShowParams, Happening, Listening, OWNER_ALONE_PASSES, PortAddParams,
    PortDelParams, PortSetParams, Removed, SwitchView, VersionView,
};
use vswitch_control::settings::{Change, PortSettings, Schema, SwitchSettings, View};
use vswitch_control::signals::Signals;

pub(super) type Outcome = Result<Value, ErrorObject>;

/// The daemon as its loop sees it.
pub(crate) struct Control {
    /// Its name.
    pub(crate) name: SwitchName,
    /// Its log, if it runs in the background.
    pub(crate) log: Option<PathBuf>,
    /// Where metrics are served, if they are.
    pub(crate) metrics: Option<Endpoint>,
    /// The lab of `vswitch up` that it belongs to.
    pub(crate) member_of: Option<LabName>,
    /// What is attached.
    pub(crate) lab: Lab,
    /// Which stations are bound to which port.
    pub(crate) stations: Stations,
    /// What it was started with that it does not know otherwise, to be kept.
    pub(crate) options: Options,
    /// Where all this is kept.
    pub(crate) state: StateFile,
    /// What those hear who listen.
    pub(crate) hub: Hub,
    /// What the switch did to protect itself.
    pub(crate) alarms: Alarms,
    /// Who looks on.
    pub(crate) captures: Captures,
    /// The tables that clients are reading.
    pub(crate) readings: Readings,
    /// What it has given up.
    pub(crate) guard: Guard,
    /// What may end it.
    pub(crate) signals: Signals,
    /// Ends with the switch's thread.
    pub(crate) switch_end: PipeReader,
    /// Who wants to know how it is.
    pub(crate) manager: Notifier,
    /// Whoever watches over it, if anybody does.
    pub(crate) watchdog: Option<Watchdog>,
    /// The way to the process that waits for the end of this one, if there is one.
    pub(crate) herald: Option<Herald>,
    /// The lock on the switch's directory, for a successor.
    pub(crate) lock: OwnedFd,
    /// The control socket, for a successor.
    pub(crate) listener: OwnedFd,
    /// Who goes on with the switch, once somebody does.
    pub(crate) succession: Option<Succession>,
    /// Why the loop is to end, once it is.
    pub(crate) ending: Option<Ending>,
}

/// What is remembered about a client.
#[derive(Default)]
pub(crate) struct Session {
    /// The table that it is reading.
    table: Reading,
    /// Its place among those who listen.
    seat: Option<Seat>,
    /// The descriptor that came with the request.
    passed: Option<Passed>,
    /// The capture that is to have its stream.
    capture: Option<Prepared>,
}

impl Service for Control {
    type Session = Session;
    type Call = Call;

    fn read(method: &str, params: Map<String, Value>) -> Result<Call, ErrorObject> {
        Call::read(method, params)
    }

    fn call(&mut self, session: &mut Session, call: Call) -> Outcome {
        if self.ending.is_some() {
            // What it had is gone, or another process's.
            return Err(ErrorObject::new(
                ErrorCode::Conflict,
                "the switch is ending, or another process goes on with it: ask again",
            ));
        }
        match call {
            Call::Version(_) => reply(&version()),
            Call::Show(_) => self.show(),
            Call::Restart(_) => self.restart(),
            Call::Stop(_) => self.stop(),
            Call::Attach(params) => self.attach(&params, session),
            Call::Detach(params) => self.detach(&params),
            Call::Set(change) => self.set(&change),
            Call::Readdress(params) => {
                self.lab.readdress(&params)?;
                self.keep()?;
                self.port(&params.port)
            }
            Call::PortAdd(params) => self.port_add(&params),
            Call::PortDel(params) => self.port_del(&params),
            Call::PortSet(params) => self.port_set(&params),
            Call::PortList(_) => reply(&self.lab.ports().map_err(refusal)?),
            Call::EventsSubscribe(_) => self.subscribe(session),
            Call::EventsUnsubscribe(_) => {
                session.seat = None;
                reply(&Listening { listening: false })
            }
            Call::FdbShow(params) => self.fdb_show(session, params),
            Call::FdbAdd(params) => self.fdb_add(&params),
            Call::FdbDel(params) => self.fdb_del(&params),
            Call::FdbFlush(params) => self.fdb_flush(&params),
            Call::Explain(params) => self.explain(&params),
            Call::CaptureStart(params) => self.capture_start(session, &params),
        }
    }

    fn pass(&mut self, session: &mut Session, passed: Option<Passed>) {
        session.passed = passed;
    }

    fn wants_stream(&self, session: &Session) -> bool {
        session.capture.is_some()
    }

    fn take_stream(&mut self, session: Session, stream: UnixStream, unsent: Vec<u8>) {
        if let Some(capture) = session.capture {
            self.captures.carry(capture, stream, unsent);
        }
    }

    fn sources(&self) -> Vec<RawFd> {
        self.all_sources().map(|(_, fd)| fd).collect()
    }

    fn source_ready(&mut self, index: usize) {
        self.woken_by(index);
    }

    fn let_postpone(&mut self, may: bool) {
        self.lab.namespaces().let_put_off(may);
    }

    fn take_postponed(&mut self) -> bool {
        self.lab.namespaces().take_put_off()
    }

    fn deadline(&self) -> Option<Instant> {
        self.lab.namespaces().deadline()
    }

    fn take_due(&mut self) -> bool {
        self.lab.namespaces().take_due()
    }

    fn tidy_up(&mut self) {
        self.lab.namespaces().tidy_up();
    }

    fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    fn say_farewell(&mut self) {
        if let Some(ending) = self.ending.filter(|ending| ending.is_wanted()) {
            self.manager.stopping(&ending.to_string());
        }
        if self.ending == Some(Ending::HandedOver) {
            self.hub.say_farewell(Happening::Restarted);
            return;
        }
        if self.ending.is_some_and(Ending::is_wanted) {
            // Those who listen hear of it, and nothing new comes after.
            self.lab.dismantle();
        }
        self.hub.say_farewell(Happening::Stopped);
    }

    fn listens(&self, session: &Session) -> bool {
        session.seat.is_some()
    }

    fn take_news(&mut self) -> Vec<Line> {
        self.hub.take_news()
    }

    fn lost_news(count: u64) -> Option<Line> {
        events::lost_line(count)
    }
}

impl Control {
    fn show(&mut self) -> Outcome {
        reply(&self.view()?)
    }

    /// The whole switch, as `show` and the metrics tell of it.
    pub(super) fn view(&mut self) -> Result<SwitchView, ErrorObject> {
        let (status, infos) = self.lab.handle().survey().map_err(refusal)?;
        let ports = self.lab.views(infos);
        let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Ok(SwitchView {
            name: self.name.to_string(),
            pid: std::process::id(),
            uptime_s: status.uptime.as_secs(),
            datapath: "user space".to_owned(),
            settings: View(self.options.settings.clone().or_default()),
            macs: whole(status.stations),
            lab: self.member_of.as_ref().map(ToString::to_string),
            log: self.log.clone(),
            metrics: self.metrics.as_ref().map(Endpoint::address),
            guard: Some(vswitch_control::protocol::GuardView {
                brokers: self.lab.namespaces().brokers(),
                ..self.guard.view(self.lab.namespaces().broker())
            }),
            warnings: self.warnings(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ports,
        })
    }

    /// What is wrong with the switch as a whole; what is wrong with a port is in its view.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.guard.warnings();
        warnings.extend(self.lab.namespaces().warnings());
        warnings
    }

    /// The ports are removed before the answer, so that who reads it may use their names anew.
    fn stop(&mut self) -> Outcome {
        log::info!("stopping on request");
        let ports = self.lab.port_count();
        self.lab.dismantle();
        self.ending.get_or_insert(Ending::Asked);
        removed(ports)
    }

    fn attach(&mut self, params: &AttachParams, session: &mut Session) -> Outcome {
        self.refuse_bound(params)?;
        let passed = passed(params, session.passed.take())?;
        let attached = self.lab.attach(params, passed)?;
        self.set_up(&attached.port, &params.settings)
            .inspect_err(|_| self.lab.undo_attach(&attached))?;
        self.lab.namespaces().keep();
        reply(&attached)
    }

    fn detach(&mut self, params: &DetachParams) -> Outcome {
        let port = params.port.as_deref();
        let going = self.lab.ports_of_namespace(&params.namespace, port);
        let gone = self.without(&going, |lab| lab.detach(&params.namespace, port))?;
        removed(gone)
    }

    fn port_add(&mut self, params: &PortAddParams) -> Outcome {
        self.lab.plug(params)?;
        if let Err(error) = self.set_up(&params.interface, &params.settings) {
            if let Err(error) = self.lab.give_back(&params.interface) {
                log::warn!("cannot take back {}: {error}", params.interface);
            }
            return Err(error);
        }
        self.port(&params.interface)
    }

    fn port_del(&mut self, params: &PortDelParams) -> Outcome {
        let going = self.lab.pluggable(&params.name)?;
        self.without(&[going], |lab| lab.give_back(&params.name))?;
        removed(1)
    }

    fn port_set(&mut self, params: &PortSetParams) -> Outcome {
        let name = capture::port_name(&self.lab.ports().map_err(refusal)?, &params.name)?;
        let before = self.lab.port_settings(&name).unwrap_or_default();
        let changed = params.change.of(&before);
        self.lab.note_port_settings(&name, &changed);
        self.keep_or(|control| control.lab.note_port_settings(&name, &before))?;
        self.lab.enforce_port_settings(&name)?;
        if changed != before {
            log::info!("{name} has new settings: {}", in_words(&changed));
        }
        if params.unblock {
            self.lab.handle().unblock(&name).map_err(refusal)?;
        }
        self.port(&name)
    }

    /// Sets a new port up, and keeps it.
    fn set_up(&mut self, name: &str, wanted: &Change<PortSettings>) -> Result<(), ErrorObject> {
        if !wanted.set.is_empty() {
            self.lab.note_port_settings(name, &wanted.set);
            self.lab.enforce_port_settings(name)?;
        }
        Ok(self.keep()?)
    }

    fn port(&mut self, name: &str) -> Outcome {
        let ports = self.lab.ports().map_err(refusal)?;
        reply(&ports.into_iter().find(|port| port.name == name))
    }

    /// Changes settings while the switch runs; all of them, or none if one is wrong.
    fn set(&mut self, change: &Change<SwitchSettings>) -> Outcome {
        let before = self.options.settings.clone();
        let wanted = change.of(&before);
        self.options.settings = wanted.clone();
        self.keep_or(|control| control.options.settings = before.clone())?;
        self.lab.set(&wanted);
        let (present, config) = (before.bridge(), wanted.bridge());
        self.lab.handle().set_config(config).map_err(refusal)?;
        if config.vlan_learning != present.vlan_learning {
            self.bind_again(config.vlan_learning).map_err(refusal)?;
        }
        log::info!(
            "settings changed: {}",
            in_words(&Change::between(&before, &wanted).set)
        );
        self.show()
    }

    fn subscribe(&mut self, session: &mut Session) -> Outcome {
        if session.seat.is_none() {
            session.seat = Some(self.hub.seat(self.lab.handle())?);
        }
        reply(&Listening { listening: true })
    }

    fn explain(&mut self, params: &ExplainParams) -> Outcome {
        let ports = self.lab.ports().map_err(refusal)?;
        let port = capture::port_name(&ports, &params.port)?;
        let (bytes, offload) = explain::frame(params)?;
        let told = self
            .lab
            .handle()
            .explain(&port, bytes.clone(), offload)
            .map_err(refusal)?;
        reply(&explain::view(&port, &ports, &bytes, &told))
    }

    fn capture_start(&mut self, session: &mut Session, params: &CaptureParams) -> Outcome {
        let ports = self.lab.ports().map_err(refusal)?;
        let (capture, started) = self.captures.start(self.lab.handle(), &ports, params)?;
        session.capture = Some(capture);
        reply(&started)
    }

    fn fdb_show(&mut self, session: &mut Session, params: FdbShowParams) -> Outcome {
        let (table, cursor) = match (params.cursor, session.table.take()) {
            (None, _) => (Snapshot::take(self.lab.handle()).map_err(refusal)?, 0),
            (Some(cursor), Some(table)) => (table, cursor),
            (Some(_), None) => {
                return Err(ErrorObject::new(
                    ErrorCode::InvalidParams,
                    "a cursor goes on where the page before ended, on the same connection, unless \
                     many others read the table too: begin without one",
                ));
            }
        };
        let page = table.page(cursor)?;
        // Nothing is kept for a client that has read to the end.
        if page.next.is_some() {
            self.readings.keep(&mut session.table, table);
        }
        reply(&page)
    }

    fn fdb_flush(&mut self, params: &FdbFlushParams) -> Outcome {
        assert!(!fault::is_wanted("control"), "a fault that was wanted");
        if fault::is_wanted("switch") {
            let _ = self.lab.handle().post(|| panic!("a fault that was wanted"));
        }
        if fault::is_wanted("hang") {
            let _ = self.lab.handle().post(|| {
                loop {
                    std::thread::park();
                }
            });
        }
        let handle = self.lab.handle().clone();
        let flushed = match &params.port {
            Some(wanted) => handle.flush_port(capture::port_name(
                &self.lab.ports().map_err(refusal)?,
                wanted,
            )?),
            None => handle.flush(),
        };
        removed(flushed.map_err(refusal)?)
    }
}

/// What is set, for the log.
fn in_words(settings: &impl Schema) -> String {
    let told = settings.texts();
    let told = told.map(|(setting, text)| format!("{} {text}", setting.name));
    let told: Vec<String> = told.collect();
    match told.as_slice() {
        [] => "the defaults".to_owned(),
        told => vswitch_control::plain::text(&told.join(", ")).into_owned(),
    }
}

/// The descriptor of the namespace to attach, where one is to come along.
fn passed(params: &AttachParams, passed: Option<Passed>) -> Result<Option<OwnedFd>, ErrorObject> {
    let refused = |code, sentence: &str| Err(ErrorObject::new(code, sentence));
    match passed {
        _ if !params.descriptor => Ok(None),
        None => refused(
            ErrorCode::InvalidParams,
            "no descriptor came along with this request: send its bytes by sendmsg(2) with one \
             SCM_RIGHTS message",
        ),
        Some(passed) if !passed.is_owner => refused(ErrorCode::Permission, OWNER_ALONE_PASSES),
        Some(passed) => Ok(Some(passed.descriptor)),
    }
}

impl From<StateError> for ErrorObject {
    fn from(error: StateError) -> Self {
        Self::new(ErrorCode::System, error.to_string())
    }
}

fn version() -> VersionView {
    VersionView {
        program: "vswitch".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

pub(super) fn reply(result: &impl Serialize) -> Outcome {
    serde_json::to_value(result)
        .map_err(|error| ErrorObject::new(ErrorCode::Internal, error.to_string()))
}

pub(super) fn removed(number: usize) -> Outcome {
    reply(&Removed {
        removed: u64::try_from(number).unwrap_or(u64::MAX),
    })
}

/// What a client gets where the switch's thread refuses.
pub(super) fn refusal(error: ControlError) -> ErrorObject {
    LabError::from(error).into()
}
