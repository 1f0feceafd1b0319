//! What the packets of a capture begin with, by its number (<https://www.tcpdump.org/linktypes.html>).

/// `LINKTYPE_ETHERNET`.
pub const ETHERNET: u16 = 1;
/// Of `tcpdump -i any`.
const LINUX_SLL: u16 = 113;
/// See [`LINUX_SLL`].
const LINUX_SLL2: u16 = 276;

/// Those that captures from Linux, of routers and of what hangs on a computer have.
#[rustfmt::skip]
const NAMES: &[(u16, &str)] = &[
    (0, "NULL"), (ETHERNET, "ETHERNET"), (3, "AX25"), (6, "IEEE802_5"), (7, "ARCNET_BSD"),
    (8, "SLIP"), (9, "PPP"), (10, "FDDI"), (50, "PPP_HDLC"), (51, "PPP_ETHER"),
    (100, "ATM_RFC1483"), (101, "RAW"), (104, "C_HDLC"), (105, "IEEE802_11"), (107, "FRELAY"),
    (108, "LOOP"), (LINUX_SLL, "LINUX_SLL"), (114, "LTALK"), (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"), (122, "IP_OVER_FC"), (123, "SUNATM"), (127, "IEEE802_11_RADIOTAP"),
    (129, "ARCNET_LINUX"), (138, "APPLE_IP_OVER_IEEE1394"), (140, "MTP2"), (141, "MTP3"),
    (142, "SCCP"), (143, "DOCSIS"), (144, "LINUX_IRDA"), (147, "USER0"), (148, "USER1"),
    (149, "USER2"), (150, "USER3"), (151, "USER4"), (152, "USER5"), (153, "USER6"), (154, "USER7"),
    (155, "USER8"), (156, "USER9"), (157, "USER10"), (158, "USER11"), (159, "USER12"),
    (160, "USER13"), (161, "USER14"), (162, "USER15"), (163, "IEEE802_11_AVS"),
    (165, "BACNET_MS_TP"), (166, "PPP_PPPD"), (177, "LINUX_LAPD"), (182, "MFR"),
    (187, "BLUETOOTH_HCI_H4"), (189, "USB_LINUX"), (192, "PPI"), (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"), (201, "BLUETOOTH_HCI_H4_WITH_PHDR"), (202, "AX25_KISS"), (203, "LAPD"),
    (204, "PPP_WITH_DIR"), (205, "C_HDLC_WITH_DIR"), (206, "FRELAY_WITH_DIR"),
    (215, "IEEE802_15_4_NONASK_PHY"), (220, "USB_LINUX_MMAPPED"), (224, "FC_2"),
    (225, "FC_2_WITH_FRAME_DELIMS"), (226, "IPNET"), (227, "CAN_SOCKETCAN"), (228, "IPV4"),
    (229, "IPV6"), (230, "IEEE802_15_4_NOFCS"), (231, "DBUS"), (239, "NFLOG"),
    (240, "NETANALYZER"), (241, "NETANALYZER_TRANSPARENT"), (242, "IPOIB"), (243, "MPEG_2_TS"),
    (247, "INFINIBAND"), (248, "SCTP"), (249, "USBPCAP"), (251, "BLUETOOTH_LE_LL"),
    (252, "WIRESHARK_UPPER_PDU"), (253, "NETLINK"), (254, "BLUETOOTH_LINUX_MONITOR"),
    (256, "BLUETOOTH_LE_LL_WITH_PHDR"), (258, "PKTAP"), (259, "EPON"), (266, "USB_DARWIN"),
    (271, "VSOCK"), (272, "NORDIC_BLE"), (274, "ETHERNET_MPACKET"), (LINUX_SLL2, "LINUX_SLL2"),
];

/// Its name and its number.
pub fn name(link: u16) -> String {
    match NAMES.iter().find(|(number, _)| *number == link) {
        Some((_, name)) => format!("LINKTYPE_{name} ({link})"),
        None => format!("number {link}"),
    }
}

/// How one gets Ethernet frames instead, where that is known.
pub const fn remedy(link: u16) -> &'static str {
    match link {
        LINUX_SLL | LINUX_SLL2 => {
            ", as tcpdump writes for the interface 'any': capture on one interface by its name"
        }
        _ => "",
    }
}
