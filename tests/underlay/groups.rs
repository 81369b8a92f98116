//! Memberships of multicast groups.

use super::*;

/// BUM7.
#[test]
fn bum7_an_ipv4_membership_is_reported_answers_queries_and_leaves_on_drop() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    let first = wire.twin.join(ip("239.1.1.1")).unwrap();
    let second = wire.twin.join(ip("239.1.1.1")).unwrap();
    let report = wire.expect("IGMPv3 join", |frame| igmp(frame).contains(&(4, v4("239.1.1.1"))));
    let (ip, igmp_part) = report[14..].split_at(24);
    assert_eq!(&report[0..6], &[0x01, 0x00, 0x5e, 0, 0, 22]);
    assert_eq!((ip[8], &ip[16..20], &ip[20..24]), (1, &[224, 0, 0, 22][..], &[0x94, 4, 0, 0][..]), "TTL, router alert");
    assert_eq!((checksum(&[ip]), checksum(&[igmp_part])), (0, 0));

    // A general query, to be answered within a tenth of a second (RFC 3376 section 4.1).
    let mut query = vec![0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
    let sum = checksum(&[&query]).to_be_bytes();
    query[2..4].copy_from_slice(&sum);
    wire.send(Mac([0x01, 0x00, 0x5e, 0, 0, 1]), 0x0800, &ipv4("10.0.0.1", "224.0.0.1", 2, 1, &[0x94, 4, 0, 0], &query));
    wire.expect("answer to the query", |frame| igmp(frame).contains(&(2, v4("239.1.1.1"))));

    // Shared: the kernel leaves when the last one goes, and does not before.
    drop(first);
    let other = wire.twin.join(IpAddr::V4(v4("239.1.1.2"))).unwrap();
    let next = wire.expect("some change", |frame| {
        igmp(frame)
            .iter()
            .any(|(kind, group)| (*kind, *group) == (4, v4("239.1.1.2")) || (*kind, *group) == (3, v4("239.1.1.1")))
    });
    assert!(!igmp(&next).contains(&(3, v4("239.1.1.1"))));
    drop(second);
    wire.expect("IGMPv3 leave", |frame| igmp(frame).contains(&(3, v4("239.1.1.1"))));
    drop(other);
}

/// BUM7.
#[test]
fn bum7_an_ipv6_membership_is_reported_answers_queries_and_leaves_on_drop() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["2001:db8::11/64"]);
    let group: Ipv6Addr = "ff0e::1234".parse().unwrap();
    let membership = wire.twin.join(group.into()).unwrap();
    let report = wire.expect("MLDv2 join", |frame| mld(frame).contains(&(4, group)));
    assert_eq!(&report[0..6], &[0x33, 0x33, 0, 0, 0, 0x16]);
    assert_eq!(report[14 + 7], 1, "hop limit");
    assert_eq!(&report[14 + 40 + 2..14 + 40 + 6], &[5, 2, 0, 0], "router alert");
    assert_eq!(&report[14 + 8..14 + 10], &[0xfe, 0x80], "link-local source");

    let (router, all): (Ipv6Addr, Ipv6Addr) = ("fe80::1".parse().unwrap(), "ff02::1".parse().unwrap());
    let mut query = vec![130, 0, 0, 0, 0, 100, 0, 0];
    query.extend([0; 16]);
    query.extend([2, 125, 0, 0]);
    let query = icmp6(router.into(), all.into(), &query);
    let mut body = vec![58, 0, 5, 2, 0, 0, 1, 0];
    body.extend(query);
    wire.send(Mac([0x33, 0x33, 0, 0, 0, 1]), 0x86dd, &ipv6(router.into(), all.into(), 0, 1, &body));
    wire.expect("answer to the query", |frame| mld(frame).contains(&(2, group)));

    drop(membership);
    wire.expect("MLDv2 leave", |frame| mld(frame).contains(&(3, group)));
}
