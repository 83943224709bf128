//! A classic BPF program that keeps an exporter's datagrams on one lane.
//!
//! The kernel runs it for every datagram of a reuseport group and takes its
//! result as the index of the socket, in the order in which they were bound.
//! It hashes the source address alone: an exporter may send from several
//! ports, and its Templates must be known to whoever decodes its Data Sets.

use libc::sock_filter;

/// The program for a group of `lanes` sockets.
///
/// Loads through `SKF_NET_OFF` see the packet from its network header on,
/// although the data begins behind the UDP header. An IPv4 packet that comes
/// to a dual-stack socket has an IPv4 header there, hence the look at the
/// version. A packet that is too short for a load ends with result 0.
pub(super) fn program(lanes: u32) -> [sock_filter; INSTRUCTIONS] {
    [
        statement(LOAD_OCTET, NETWORK),
        statement(SHIFT_RIGHT, 4),
        jump_unless_equal(6, IPV6_INSTRUCTIONS),
        statement(LOAD_WORD, NETWORK + IPV6_SOURCE),
        statement(COPY_TO_X, 0),
        statement(LOAD_WORD, NETWORK + IPV6_SOURCE + 4),
        statement(XOR_X, 0),
        statement(COPY_TO_X, 0),
        statement(LOAD_WORD, NETWORK + IPV6_SOURCE + 8),
        statement(XOR_X, 0),
        statement(COPY_TO_X, 0),
        statement(LOAD_WORD, NETWORK + IPV6_SOURCE + 12),
        statement(XOR_X, 0),
        statement(JUMP, 1),
        statement(LOAD_WORD, NETWORK + IPV4_SOURCE),
        // Neighbouring addresses differ in a few bits anywhere in the word,
        // and a bit of a product depends only on the bits below it. So the
        // upper half is folded down before the product and again after it:
        // the remainder may look at the lowest bits alone.
        statement(COPY_TO_X, 0),
        statement(SHIFT_RIGHT, 16),
        statement(XOR_X, 0),
        statement(MULTIPLY, GOLDEN_RATIO),
        statement(COPY_TO_X, 0),
        statement(SHIFT_RIGHT, 16),
        statement(XOR_X, 0),
        statement(REMAINDER, lanes),
        statement(RETURN_A, 0),
    ]
}

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

const fn jump_unless_equal(k: u32, jf: u8) -> sock_filter {
    sock_filter {
        code: JUMP_IF_EQUAL,
        jt: 0,
        jf,
        k,
    }
}

/// Length of the program.
const INSTRUCTIONS: usize = 24;

/// Instructions of the IPv6 branch, its jump to the hash included.
const IPV6_INSTRUCTIONS: u8 = 11;

/// `SKF_NET_OFF`: what is loaded from here on counts from the network header.
const NETWORK: u32 = (-0x0010_0000_i32).cast_unsigned();

/// Offset of the source address in an IPv4 header. RFC 791 §3.1.
const IPV4_SOURCE: u32 = 12;

/// Offset of the source address in an IPv6 header. RFC 8200 §3.
const IPV6_SOURCE: u32 = 8;

/// 2^32 divided by the golden ratio, made prime: Knuth's multiplicative hash.
const GOLDEN_RATIO: u32 = 0x9E37_79B1;

// Codes of `linux/bpf_common.h`: class | size or operation | mode or source.
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_OCTET: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const SHIFT_RIGHT: u16 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const MULTIPLY: u16 = 0x24; // BPF_ALU | BPF_MUL | BPF_K
const REMAINDER: u16 = 0x94; // BPF_ALU | BPF_MOD | BPF_K
const XOR_X: u16 = 0xac; // BPF_ALU | BPF_XOR | BPF_X
const COPY_TO_X: u16 = 0x07; // BPF_MISC | BPF_TAX
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN_A: u16 = 0x16; // BPF_RET | BPF_A

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::net::Ipv4Addr;
    use std::net::Ipv6Addr;

    use super::*;

    /// Runs a program as the kernel does, on a packet from its network header on.
    fn run(program: &[sock_filter], packet: &[u8]) -> u32 {
        let (mut a, mut x, mut at) = (0_u32, 0_u32, 0);
        loop {
            let step = program[at];
            at += 1;
            let offset = step.k.wrapping_sub(NETWORK) as usize;
            match step.code {
                LOAD_OCTET => match packet.get(offset) {
                    Some(&octet) => a = octet.into(),
                    None => return 0,
                },
                LOAD_WORD => match packet.get(offset..offset + 4) {
                    Some(word) => a = u32::from_be_bytes(word.try_into().unwrap()),
                    None => return 0,
                },
                SHIFT_RIGHT => a >>= step.k,
                MULTIPLY => a = a.wrapping_mul(step.k),
                REMAINDER => a %= step.k,
                XOR_X => a ^= x,
                COPY_TO_X => x = a,
                JUMP => at += step.k as usize,
                JUMP_IF_EQUAL => at += usize::from(if a == step.k { step.jt } else { step.jf }),
                RETURN_A => return a,
                code => panic!("instruction {code:#x} at {}", at - 1),
            }
        }
    }

    /// An IP header with this source; everything else is noise.
    fn packet(source: IpAddr, noise: u8) -> Vec<u8> {
        let mut packet = vec![noise; 48];
        match source {
            IpAddr::V4(source) => {
                packet[0] = 0x45;
                packet[12..16].copy_from_slice(&source.octets());
            }
            IpAddr::V6(source) => {
                packet[0] = 0x60 | noise >> 4;
                packet[8..24].copy_from_slice(&source.octets());
            }
        }
        packet
    }

    fn lane(lanes: u32, source: IpAddr) -> u32 {
        run(&program(lanes), &packet(source, 0))
    }

    /// How many of the sources come to the busiest lane; each lane is one.
    fn busiest(lanes: u32, sources: impl Iterator<Item = IpAddr>) -> usize {
        let mut load = vec![0; lanes as usize];
        for source in sources {
            load[lane(lanes, source) as usize] += 1;
        }
        load.into_iter().max().unwrap()
    }

    #[test]
    fn the_source_alone_decides() {
        let sources: [IpAddr; 2] = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        for source in sources {
            for noise in 0..=u8::MAX {
                let chosen = run(&program(7), &packet(source, noise));
                assert_eq!(
                    chosen,
                    lane(7, source),
                    "{source} with {noise:#x} around it"
                );
            }
        }
    }

    #[test]
    fn every_part_of_the_source_counts() {
        let v4 = Ipv4Addr::new(192, 0, 2, 7);
        for bit in 0..32 {
            let other = Ipv4Addr::from_bits(v4.to_bits() ^ 1 << bit);
            assert_ne!(
                lane(65_521, v4.into()),
                lane(65_521, other.into()),
                "bit {bit}"
            );
        }
        let v6: Ipv6Addr = "2001:db8::7".parse().unwrap();
        for bit in 0..128 {
            let other = Ipv6Addr::from_bits(v6.to_bits() ^ 1 << bit);
            assert_ne!(
                lane(65_521, v6.into()),
                lane(65_521, other.into()),
                "bit {bit}"
            );
        }
    }

    /// Lanes, and the most of 40 sources that come to one of them.
    const SPREAD: [(u32, usize); 3] = [(2, 26), (4, 18), (8, 10)];

    #[test]
    fn neighbouring_ipv4_addresses_spread_over_the_lanes() {
        for ((lanes, most), bits) in SPREAD
            .into_iter()
            .flat_map(|it| (0..24).map(move |n| (it, n)))
        {
            let address =
                |n: u32| Ipv4Addr::from_bits(0x0a14_0001_u32.wrapping_add(n << bits)).into();
            let busiest = busiest(lanes, (0..40).map(address));
            assert!(
                busiest <= most,
                "{busiest} of 40 on one of {lanes}, 2^{bits} apart"
            );
        }
    }

    #[test]
    fn neighbouring_ipv6_addresses_spread_over_the_lanes() {
        let base = "2001:db8::1".parse::<Ipv6Addr>().unwrap().to_bits();
        for ((lanes, most), bits) in SPREAD
            .into_iter()
            .flat_map(|it| (0..120).map(move |n| (it, n)))
        {
            let address = |n: u128| Ipv6Addr::from_bits(base.wrapping_add(n << bits)).into();
            let busiest = busiest(lanes, (0..40).map(address));
            assert!(
                busiest <= most,
                "{busiest} of 40 on one of {lanes}, 2^{bits} apart"
            );
        }
    }

    #[test]
    fn any_number_of_lanes_is_shared_fairly() {
        for lanes in 1..=32 {
            let address = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + n * 256 + 1).into();
            let busiest = busiest(lanes, (0..3_200).map(address));
            let fair = 3_200 / lanes as usize;
            assert!(
                busiest <= fair + fair / 4,
                "{busiest} of 3200 on one of {lanes}"
            );
        }
    }

    #[test]
    fn a_packet_cut_short_goes_to_the_first_lane() {
        for source in ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()] {
            let whole = packet(source, 0);
            let needed = if source.is_ipv4() { 16 } else { 24 };
            for length in 0..needed {
                assert_eq!(run(&program(7), &whole[..length]), 0, "{length} octets");
            }
        }
    }
}
