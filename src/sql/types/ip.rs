//! IP addresses: `CAST(sourceipaddress AS ipaddress)`, `contains('10.0.0.0/8', …)`.
//!
//! An address is stored as the 32 hexadecimal digits of its 16 bytes, an IPv4 address in its IPv6 form. So
//! the stored texts sort like addresses.

use std::net::{IpAddr, Ipv6Addr};

/// The digits of an address in the usual notation.
pub(in crate::sql) fn digits(text: &str) -> Option<String> {
    bytes(text).map(|address| format!("{:032x}", u128::from(address)))
}

fn bytes(text: &str) -> Option<Ipv6Addr> {
    match text.trim().parse().ok()? {
        IpAddr::V4(address) => Some(address.to_ipv6_mapped()),
        IpAddr::V6(address) => Some(address),
    }
}

/// An address in the usual notation.
pub(in crate::sql) fn show(digits: &str) -> String {
    match u128::from_str_radix(digits, 16).map(Ipv6Addr::from) {
        Ok(address) => IpAddr::V6(address).to_canonical().to_string(),
        Err(_) => digits.to_owned(),
    }
}

/// A network, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) struct Network {
    first: u128,
    mask: u128,
}

impl Network {
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let is_v4 = address.contains('.') && !address.contains(':');
        let bits: u32 = bits.trim().parse().ok()?;
        let bits = if is_v4 { bits.checked_add(96)? } else { bits };
        let mask = if bits == 0 { 0 } else { u128::MAX.checked_shl(128_u32.checked_sub(bits)?)? };
        Some(Self { first: u128::from(bytes(address)?) & mask, mask })
    }

    /// Whether the network contains an address, given by its digits.
    pub fn has(self, digits: &str) -> bool {
        u128::from_str_radix(digits, 16).is_ok_and(|address| address & self.mask == self.first)
    }

    /// The network with a prefix of `bits` bits that contains an address.
    pub fn around(digits: &str, bits: u32) -> Option<String> {
        let shown = show(digits);
        let network = Self::parse(&format!("{shown}/{bits}"))?;
        Some(format!("{}/{bits}", show(&format!("{:032x}", network.first))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_order_as_texts() {
        let [ten, later, v6] =
            ["10.0.0.0", "10.255.255.255", "2001:db8::1"].map(|text| digits(text).unwrap());
        assert!(ten < later && later < v6);
        assert_eq!((show(&ten), show(&v6)), ("10.0.0.0".to_owned(), "2001:db8::1".to_owned()));
        assert_eq!(digits("ecr.amazonaws.com"), None);
        assert_eq!(digits("10.0.0.256"), None);
    }

    #[test]
    fn networks() {
        let inside =
            |network: &str, address: &str| Network::parse(network).unwrap().has(&digits(address).unwrap());
        assert!(inside("10.0.0.0/8", "10.1.2.3"));
        assert!(!inside("10.0.0.0/8", "11.1.2.3"));
        assert!(inside("192.168.255.9/16", "192.168.0.1"));
        assert!(inside("0.0.0.0/0", "203.0.113.7"));
        assert!(!inside("0.0.0.0/0", "2001:db8::1"));
        assert!(inside("2001:db8::/32", "2001:db8:1::"));
        assert!(inside("203.0.113.7/32", "203.0.113.7"));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "2001:db8::/129"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Network::around(&digits("203.0.113.7").unwrap(), 24).as_deref(), Some("203.0.113.0/24"));
    }
}
