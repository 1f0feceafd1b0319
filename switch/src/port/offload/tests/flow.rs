//! Super-frames as a sender's stack makes them.

use proptest::prelude::*;

use crate::frame::Offload;

/// The properties of a super-frame.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) tpids: Vec<u16>,
    pub(super) is_v6: bool,
    /// Words of IPv4 options, or eight-byte blocks of an IPv6 destination options header.
    pub(super) network_options: u8,
    pub(super) identification: u16,
    pub(super) transport: Transport,
    /// Words of TCP options.
    pub(super) tcp_options: u8,
    pub(super) gso_size: u16,
    pub(super) payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    Tcp { sequence: u32, flags: u8 },
    Udp,
}

/// Any flow of up to 2,048 segments that fits into a packet.
pub(super) fn flow() -> impl Strategy<Value = Flow> {
    let tpid = prop::sample::select(vec![0x8100_u16, 0x88a8]);
    let transport = prop_oneof![
        (any::<u32>(), any::<u8>())
            .prop_map(|(sequence, flags)| Transport::Tcp { sequence, flags }),
        Just(Transport::Udp),
    ];
    let payload = (any::<u8>(), 0..5_000_usize)
        .prop_map(|(seed, len)| (0..len).map(|n| (n * 31) as u8 ^ seed).collect());
    (
        prop::collection::vec(tpid, 0..3),
        any::<bool>(),
        0..=10_u8,
        any::<u16>(),
        transport,
        0..=10_u8,
        3..2_000_u16,
        payload,
    )
        .prop_map(|fields| {
            let (
                tpids,
                is_v6,
                network_options,
                identification,
                transport,
                tcp_options,
                gso_size,
                payload,
            ) = fields;
            Flow {
                tpids,
                is_v6,
                network_options,
                identification,
                transport,
                tcp_options,
                gso_size,
                payload,
            }
        })
}

impl Flow {
    /// TCP over IPv4, no tag, no options, 2,500 bytes in segments of 1,000.
    pub(super) fn example() -> Self {
        Self {
            tpids: Vec::new(),
            is_v6: false,
            network_options: 0,
            identification: 0xffff,
            transport: Transport::Tcp {
                sequence: u32::MAX,
                flags: 0x99,
            },
            tcp_options: 0,
            gso_size: 1000,
            payload: vec![0x5a; 2500],
        }
    }

    /// Addresses, tags and EtherType.
    pub(super) fn link(&self) -> Vec<u8> {
        let mut link = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tpid in &self.tpids {
            link.extend(tpid.to_be_bytes());
            link.extend(0xe064_u16.to_be_bytes());
        }
        link.extend(if self.is_v6 { [0x86, 0xdd] } else { [8, 0] });
        link
    }

    fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Tcp { .. } => 6,
            Transport::Udp => 17,
        }
    }

    fn transport_header(&self) -> Vec<u8> {
        match self.transport {
            Transport::Tcp { sequence, flags } => {
                let mut header = vec![0, 80, 0x12, 0x34];
                header.extend(sequence.to_be_bytes());
                header.extend([9, 8, 7, 6, (5 + self.tcp_options) << 4, flags, 1, 0]);
                header.extend([0; 4]);
                header.extend(vec![1; usize::from(self.tcp_options) * 4]);
                header
            }
            Transport::Udp => vec![0, 53, 0x12, 0x34, 0, 0, 0, 0],
        }
    }

    fn network_header(&self, transport_len: usize) -> Vec<u8> {
        let options = usize::from(self.network_options);
        if self.is_v6 {
            let extension = match options {
                0 => Vec::new(),
                blocks => {
                    let mut extension = vec![0; blocks * 8];
                    (extension[0], extension[1]) = (self.protocol(), self.network_options - 1);
                    extension
                }
            };
            let next = if options == 0 { self.protocol() } else { 60 };
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(((extension.len() + transport_len) as u16).to_be_bytes());
            header.extend([next, 64]);
            header.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            header.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
            header.extend(extension);
            header
        } else {
            let len = 20 + options * 4;
            let mut header = vec![0x45 + self.network_options, 0];
            header.extend(((len + transport_len) as u16).to_be_bytes());
            header.extend(self.identification.to_be_bytes());
            header.extend([0x40, 0, 64, self.protocol(), 0, 0]);
            header.extend([10, 0, 0, 1, 10, 0, 0, 2]);
            header.extend(vec![1; options * 4]);
            let sum = super::reader::sum(&[&header]);
            header[10..12].copy_from_slice(&(!sum).to_be_bytes());
            header
        }
    }

    /// Returns the frame with a partial checksum, and its offload header.
    pub(super) fn super_frame(&self) -> (Vec<u8>, Offload) {
        let mut transport = self.transport_header();
        let (header_len, csum_offset, gso_type) = match (self.transport, self.is_v6) {
            (Transport::Tcp { .. }, false) => (transport.len(), 16, 1 | Offload::GSO_ECN),
            (Transport::Tcp { .. }, true) => (transport.len(), 16, 4),
            (Transport::Udp, _) => (transport.len(), 6, 5),
        };
        let transport_len = header_len + self.payload.len();
        if let Transport::Udp = self.transport {
            transport[4..6].copy_from_slice(&(transport_len as u16).to_be_bytes());
        }
        let network = self.network_header(transport_len);
        let addresses = if self.is_v6 {
            &network[8..40]
        } else {
            &network[12..20]
        };
        let pseudo = [0, self.protocol()];
        let partial =
            super::reader::sum(&[addresses, &pseudo, &(transport_len as u16).to_be_bytes()]);
        transport[csum_offset..csum_offset + 2].copy_from_slice(&partial.to_be_bytes());

        let csum_start = self.link().len() + network.len();
        let offload = Offload {
            flags: Offload::NEEDS_CSUM,
            gso_type,
            hdr_len: 0,
            gso_size: self.gso_size,
            csum_start: csum_start as u16,
            csum_offset: csum_offset as u16,
        };
        (
            [self.link(), network, transport, self.payload.clone()].concat(),
            offload,
        )
    }
}
