//! Values that are judged by themselves: addresses, subnets, stations, VLANs.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_switch::frame::MacAddr;

/// Refuses an address, with a prefix length or a port or without, in which a number begins with 0:
/// for some programs 010 is ten, and for others, which follow `inet_aton`(3), eight.
///
/// # Errors
/// A sentence, where it is ambiguous. Whether it is an address at all is not looked at.
pub fn unambiguous(text: &str) -> Result<(), String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let begins_with_zero = |number: &str| {
        number.len() > 1 && number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit())
    };
    // An IPv4 address may be the end of an IPv6 one; behind it may come a port.
    let quad = address
        .split([':', '[', ']'])
        .find(|part| part.contains('.'));
    let numbers: Vec<&str> = quad
        .map(|quad| quad.split('.').collect())
        .unwrap_or_default();
    let is_quad = numbers.len() == 4
        && numbers
            .iter()
            .all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    let in_address = numbers
        .into_iter()
        .find(|number| is_quad && begins_with_zero(number));
    let number = in_address.or(length.filter(|length| begins_with_zero(length)));
    let Some(number) = number else {
        return Ok(());
    };
    let decimal = match number.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let octal = match u32::from_str_radix(decimal, 8) {
        Ok(octal) if octal.to_string() != decimal => format!(", or {octal} where 0 means octal"),
        _ => String::new(),
    };
    Err(format!(
        "'{}' is ambiguous: {number} is {decimal}{octal}; write {decimal} without a leading 0",
        shown(text)
    ))
}

/// A host's address with its prefix length, such as `10.0.0.1/24`.
///
/// # Errors
/// A sentence, where this is not one that a single host can have.
pub fn host_address(text: &str) -> Result<IpNet, String> {
    unambiguous(text)?;
    let wrong = |why: &str| Err(format!("'{}' is not a host's address: {why}", shown(text)));
    match text.parse() {
        Ok(IpAddr::V4(_)) => return wrong(&format!("add the prefix length, as in {text}/24")),
        Ok(IpAddr::V6(_)) => return wrong(&format!("add the prefix length, as in {text}/64")),
        Err(_) => {}
    }
    let Ok(net) = text.parse::<IpNet>() else {
        return wrong("write an IPv4 or IPv6 address and a prefix length, as in 10.0.0.1/24");
    };
    let address = net.addr();
    if net.prefix_len() == 0 {
        return wrong("a prefix length of 0 leaves no network outside");
    }
    if address.is_unspecified() {
        return wrong("it is the unspecified address");
    }
    if address.is_loopback() {
        return wrong("it is a loopback address");
    }
    if address.is_multicast() || net == IpNet::from(IpAddr::from([255; 4])) {
        return wrong("it is a multicast or broadcast address");
    }
    if has_network_address(net) && address == net.network() {
        return wrong("it is the address of the network itself");
    }
    if net.max_prefix_len() == 32 && has_network_address(net) && address == net.broadcast() {
        return wrong("it is the broadcast address of its network");
    }
    Ok(net)
}

/// A subnet with room for two hosts at least, such as `10.0.0.0/24`.
///
/// # Errors
/// A sentence, where this is not one.
pub fn subnet(text: &str) -> Result<IpNet, String> {
    unambiguous(text)?;
    let Ok(net) = text.parse::<IpNet>() else {
        return Err(format!(
            "'{}' is not a subnet: write its address and prefix length, as in 10.0.0.0/24",
            shown(text)
        ));
    };
    let whole = net.trunc();
    if net != whole {
        return Err(format!(
            "'{net}' is a host's address, not a subnet's: write {whole}"
        ));
    }
    if net.prefix_len() == 0 || net.prefix_len() == net.max_prefix_len() {
        return Err(format!(
            "'{net}' cannot be shared among hosts: take a prefix length from 1 to {}",
            net.max_prefix_len() - 1
        ));
    }
    if whole.addr().is_multicast() || whole.addr().is_loopback() || whole.addr().is_unspecified() {
        return Err(format!("'{net}' holds no addresses that hosts can have"));
    }
    Ok(net)
}

/// The address of one station: neither a group's nor all zero.
///
/// # Errors
/// A sentence, where this is not one.
pub fn station(text: &str) -> Result<MacAddr, String> {
    let mac: MacAddr = text.parse().map_err(|error| format!("{error}"))?;
    if mac.is_zero() {
        return Err(format!("'{mac}' belongs to no station: it is all zero"));
    }
    if mac.is_multicast() {
        return Err(format!(
            "'{mac}' stands for a group of stations: clear the lowest bit of its first octet"
        ));
    }
    Ok(mac)
}

/// An EtherType in hexadecimal, such as `0x88b5`.
///
/// # Errors
/// A sentence, where this is not one.
pub fn ethertype(text: &str) -> Result<u16, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    digits
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u16::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            format!(
                "'{}' is neither a protocol that is known by name nor an EtherType such as 0x88b5",
                shown(text)
            )
        })
}

/// Bytes in hexadecimal. Blanks, line ends, `:` and `-` between digits, and `0x` in front, are of
/// no concern.
///
/// # Errors
/// A sentence, where these are not whole bytes.
pub fn hex(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let is_between = |digit: &char| digit.is_ascii_whitespace() || matches!(digit, ':' | '-');
    let digits = text.chars().filter(|digit| !is_between(digit));
    let digits: Vec<u8> = digits
        .map(|digit| {
            let value = digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok());
            value.ok_or_else(|| format!("'{}' is not a hexadecimal digit", digit.escape_debug()))
        })
        .collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        let count = digits.len();
        return Err(format!(
            "{count} hexadecimal digits are not whole bytes: add or remove one"
        ));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Whether the first address of this network stands for the network (or, in IPv6, for any of
/// its routers: RFC 4291, 2.6.1). Links of two hosts have none (RFC 3021, RFC 6164).
fn has_network_address(net: IpNet) -> bool {
    net.prefix_len() + 1 < net.max_prefix_len()
}

/// The text without anything a terminal would act on.
fn shown(text: &str) -> String {
    crate::plain::text(text).into_owned()
}

/// A group of users by its number, or by its name in `/etc/group`.
///
/// # Errors
/// Says what is wrong in a sentence.
pub fn group(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    group_in(&groups, text).ok_or_else(|| {
        format!(
            "there is no group '{}' in /etc/group",
            crate::plain::text(text)
        )
    })
}

/// The number of a group in the text of group(5).
fn group_in(groups: &str, wanted: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(wanted)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_known_by_name_or_number() {
        let groups = "root:x:0:\nnet:x:104:mario,luigi\nodd\n";
        assert_eq!(group_in(groups, "net"), Some(104));
        assert_eq!(group_in(groups, "odd"), None);
        assert_eq!(group_in(groups, "ne"), None);
        assert_eq!(group("1234"), Ok(1234));
        assert!(group("no:such").unwrap_err().contains("/etc/group"));
    }

    #[test]
    fn addresses_of_hosts_are_taken() {
        for text in [
            "10.0.0.1/24",
            "10.0.0.255/16",
            "10.0.0.0/31",
            "10.0.0.7/32",
            "fd00::1/64",
            "fe80::1/64",
            "fd00::/127",
        ] {
            assert_eq!(
                host_address(text).map(|net| net.to_string()),
                Ok(text.into())
            );
        }
    }

    #[test]
    fn numbers_that_begin_with_zero_are_ambiguous() {
        for text in [
            "010.0.0.7/24",
            "10.0.0.07",
            "10.00.0.1/8",
            "10.0.0.1/08",
            "10.0.0.010:80",
            "::ffff:10.0.0.01/120",
            "[::ffff:010.0.0.1]:80",
            "fd00::1/064",
            "010.010.010.010",
        ] {
            let told = unambiguous(text).unwrap_err();
            assert!(told.contains("ambiguous"), "{told}");
        }
        assert_eq!(
            unambiguous("010.0.0.7/24").unwrap_err(),
            "'010.0.0.7/24' is ambiguous: 010 is 10, or 8 where 0 means octal; write 10 without a \
             leading 0"
        );
        for text in [
            "10.0.0.7/24",
            "0.0.0.0/0",
            "10.0.0.0",
            "::1/0",
            "fd00::0001/64",
            "fd00:0:01::/64",
            "::ffff:10.0.0.1",
            "mario",
            "v1.02.3",
            "a.01.b.c",
            "1.2.3.04.5",
            "",
        ] {
            assert_eq!(unambiguous(text), Ok(()), "{text}");
        }
        assert!(
            host_address("010.0.0.7/24")
                .unwrap_err()
                .contains("ambiguous")
        );
        assert!(subnet("010.0.0.0/24").unwrap_err().contains("ambiguous"));
    }

    #[test]
    fn what_no_host_can_have_is_refused() {
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.1/33",
            "10.0.0/24",
            "10.0.0.256/24",
            "10.0.0.1/0",
            "10.0.0.0/24",
            "10.0.0.255/24",
            "0.0.0.0/8",
            "127.0.0.1/8",
            "224.0.0.1/24",
            "255.255.255.255/32",
            "fd00::/64",
            "ff02::1/64",
            "::1/128",
            "fd00::1/129",
            "mario/24",
        ] {
            assert!(host_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_subnet_has_no_host_bits_and_room_for_two() {
        for text in [
            "10.0.0.0/24",
            "10.0.0.0/31",
            "fd00::/64",
            "192.168.7.128/25",
        ] {
            assert!(subnet(text).is_ok(), "{text}");
        }
        for text in [
            "10.0.0.1/24",
            "10.0.0.0/32",
            "0.0.0.0/0",
            "224.0.0.0/8",
            "x",
            "10.0.0.0",
        ] {
            assert!(subnet(text).is_err(), "{text}");
        }
        assert!(subnet("10.0.0.1/24").unwrap_err().ends_with("10.0.0.0/24"));
    }

    #[test]
    fn hexadecimal_is_taken_as_people_write_it() {
        for text in ["0x02ffab", "02 ff ab", "02:FF:AB", " 02-ff\nab "] {
            assert_eq!(hex(text), Ok(vec![2, 0xff, 0xab]), "{text}");
        }
        assert_eq!(hex(""), Ok(Vec::new()));
        assert!(hex("02f").unwrap_err().starts_with("3 hexadecimal digits"));
        assert!(hex("02x0").is_err() && hex("\u{1b}0").is_err());
    }

    #[test]
    fn a_station_is_one_and_not_none() {
        assert!(station("02:00:00:00:00:01").is_ok());
        for text in [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "x",
        ] {
            assert!(station(text).is_err(), "{text}");
        }
    }
}
