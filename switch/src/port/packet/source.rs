//! A packet socket on an interface, and the state of that interface's link.

use std::os::fd::AsFd;

use socket2::Socket;

use super::sys;
use crate::port::RxStatus;
use crate::port::sys as interface;

/// A packet socket that is bound to an interface.
#[derive(Debug)]
pub(super) struct Source {
    socket: Socket,
    ifindex: u32,
    /// Whether the socket may have an error that was not queried yet.
    may_have_error: bool,
    is_down: bool,
}

impl Source {
    pub(super) const fn new(socket: Socket, ifindex: u32) -> Self {
        Self {
            socket,
            ifindex,
            may_have_error: false,
            is_down: false,
        }
    }

    /// Takes over a socket from another process, and whether its link was down then. Whether there
    /// is an error is queried again.
    pub(super) const fn taken_over(socket: Socket, ifindex: u32, is_down: bool) -> Self {
        Self {
            socket,
            ifindex,
            may_have_error: true,
            is_down,
        }
    }

    /// Sets whether the link was down when another process last checked.
    pub(super) const fn note_down(&mut self, is_down: bool) {
        self.is_down = is_down;
    }

    pub(super) const fn is_down(&self) -> bool {
        self.is_down
    }

    pub(super) const fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) const fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Notes a failure: the socket is queried for the reason before the port counts as drained.
    pub(super) const fn expect_error(&mut self) {
        self.may_have_error = true;
    }

    /// Notes that the socket has reported its interface down.
    pub(super) const fn expect_down(&mut self) {
        self.is_down = true;
    }

    /// Returns the state of a port without further frames. Costs nothing unless something has
    /// failed.
    pub(super) fn ask_link(&mut self) -> RxStatus {
        if self.may_have_error {
            self.may_have_error = false;
            self.is_down |= !matches!(self.socket.take_error(), Ok(None));
        }
        if !self.is_down {
            return RxStatus::Drained;
        }
        let is_bound =
            matches!(sys::bound_to(&self.socket), Ok(Some(index)) if index == self.ifindex);
        if !is_bound {
            return RxStatus::LinkGone;
        }
        let socket = self.socket.as_fd();
        let is_up = interface::name_of(socket, self.ifindex)
            .and_then(|name| interface::is_up(socket, name));
        self.is_down = !is_up.unwrap_or(false);
        if self.is_down {
            RxStatus::LinkDown
        } else {
            RxStatus::Drained
        }
    }
}
