use super::*;

const VNI: Vni = Vni::new(100).unwrap();
const NUMBER: Number = Number { encap: Encap::Vxlan, vni: VNI };
const HOLD: Duration = Duration::from_secs(60);

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn vtep(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// A mirror of VNI 100 that has told its first, empty segment.
fn mirror() -> (Mirror, Instant) {
    let mut mirror = Mirror::new(HOLD);
    mirror.add(VNI, "office", [(1, Role::Bridge), (2, Role::Vxlan), (3, Role::Port)]);
    let now = Instant::now();
    assert_eq!(flood(&mirror.change(now)), Some(vec![]));
    assert!(mirror.change(now).is_empty());
    (mirror, now)
}

fn flood(change: &Change) -> Option<Vec<IpAddr>> {
    match &change.segments.as_ref()?.first()?.flood {
        OverlayFlood::All(vteps) => Some(vteps.clone()),
        OverlayFlood::OneOf(_) => None,
    }
}

/// What is told once a withdrawal has waited.
fn settled(mirror: &mut Mirror, now: Instant) -> Change {
    assert!(mirror.change(now).is_empty());
    assert_eq!(mirror.deadline(), Some(now + SETTLE));
    mirror.change(now + SETTLE)
}

fn on(role: Role, last: u8) -> Heard {
    Heard::Bridge { vni: VNI, role, mac: mac(last), sticky: false, gone: false }
}

fn behind(last: u8, at: u8) -> Heard {
    Heard::Behind { vni: VNI, mac: mac(last), vtep: vtep(at), gone: false }
}

fn takes_part(at: u8) -> Heard {
    Heard::Flood { vni: VNI, vtep: vtep(at), gone: false }
}

fn gone(mut heard: Heard) -> Heard {
    match &mut heard {
        Heard::Bridge { gone, .. } | Heard::Behind { gone, .. } | Heard::Flood { gone, .. } => *gone = true,
        Heard::Neighbour { mac, .. } => *mac = None,
    }
    heard
}

fn at(last: u8) -> Option<RemoteMac> {
    Some(RemoteMac { vtep: vtep(last), moves: true })
}

#[test]
fn a_mac_is_remote_when_both_tables_say_so() {
    let (mut mirror, now) = mirror();
    mirror.hear(&takes_part(2));
    mirror.hear(&on(Role::Vxlan, 7));
    assert_eq!(mirror.change(now).macs, []);
    mirror.hear(&behind(7, 2));
    assert_eq!(mirror.change(now).macs, [(NUMBER, mac(7), at(2))]);
    mirror.hear(&gone(on(Role::Vxlan, 7)));
    assert_eq!(settled(&mut mirror, now).macs, [(NUMBER, mac(7), None)]);
}

#[test]
fn a_mac_that_comes_home_and_leaves_to_the_same_vtep_is_where_the_bridge_says() {
    let (mut mirror, now) = mirror();
    [takes_part(2), on(Role::Vxlan, 7), behind(7, 2)].iter().for_each(|heard| mirror.hear(heard));
    mirror.change(now);
    // The kernel leaves the VXLAN entry behind, and tells of no end on the VXLAN device.
    mirror.hear(&on(Role::Port, 7));
    assert_eq!(mirror.change(now).macs, [(NUMBER, mac(7), None)]);
    // Nor does it tell that entry again.
    mirror.hear(&on(Role::Vxlan, 7));
    assert_eq!(mirror.change(now).macs, [(NUMBER, mac(7), at(2))]);
}

#[test]
fn a_move_between_vteps_is_one_change() {
    let (mut mirror, now) = mirror();
    [takes_part(2), on(Role::Vxlan, 7), behind(7, 2)].iter().for_each(|heard| mirror.hear(heard));
    mirror.change(now);
    mirror.hear(&behind(7, 3));
    mirror.hear(&gone(behind(7, 2)));
    let change = mirror.change(now);
    assert_eq!(change.macs, [(NUMBER, mac(7), at(3))]);
    // Its VTEP sends without taking part in floods: known all the same.
    assert_eq!(change.segments.expect("another VTEP is known")[0].known, [vtep(3)]);
}

#[test]
fn local_macs_are_put_once_and_sticky_remote_ones_never() {
    let (mut mirror, _) = mirror();
    assert_eq!(mirror.local(VNI, mac(1), true), Some(Step::Put(VNI, mac(1))));
    mirror.hear(&on(Role::Port, 1));
    assert_eq!(mirror.local(VNI, mac(1), true), None);
    mirror.hear(&Heard::Bridge { vni: VNI, role: Role::Vxlan, mac: mac(9), sticky: true, gone: false });
    assert_eq!(mirror.local(VNI, mac(9), true), None);
    assert_eq!(mirror.local(VNI, mac(1), false), Some(Step::Remove(VNI, mac(1))));
    // It left already: there is nothing to remove.
    mirror.hear(&on(Role::Vxlan, 1));
    assert_eq!(mirror.local(VNI, mac(1), false), None);
}

#[test]
fn what_the_kernel_lost_is_put_again() {
    let (mut mirror, _) = mirror();
    for last in [1, 2] {
        mirror.local(VNI, mac(last), true);
        mirror.hear(&on(Role::Port, last));
    }
    mirror.forget();
    mirror.hear(&on(Role::Port, 1));
    assert_eq!(mirror.missing(), [Step::Put(VNI, mac(2))]);
}

#[test]
fn reading_anew_tells_only_what_differs() {
    let (mut mirror, now) = mirror();
    let known = [takes_part(2), on(Role::Vxlan, 7), behind(7, 2), on(Role::Vxlan, 8), behind(8, 2)];
    known.iter().for_each(|heard| mirror.hear(heard));
    mirror.change(now);
    mirror.forget();
    known[..3].iter().for_each(|heard| mirror.hear(heard));
    let change = settled(&mut mirror, now);
    assert_eq!((change.macs, change.segments), (vec![(NUMBER, mac(8), None)], None));
}

#[test]
fn all_vteps_gone_at_once_are_kept_and_forgotten_later() {
    let (mut mirror, now) = mirror();
    let known = [takes_part(2), on(Role::Vxlan, 7), behind(7, 2), on(Role::Vxlan, 8), behind(8, 2)];
    known.iter().for_each(|heard| mirror.hear(heard));
    mirror.change(now);
    // The MACs go before the VTEPs do.
    known[1..].iter().for_each(|heard| mirror.hear(&gone(heard.clone())));
    assert!(mirror.change(now).is_empty());
    mirror.hear(&gone(known[0].clone()));
    let change = mirror.change(now);
    assert_eq!((change.stale, change.macs, change.segments), (Some(true), vec![], None));
    assert!(mirror.change(now + SETTLE).is_empty());
    assert_eq!(mirror.deadline(), Some(now + HOLD));
    // One of our ports has it now: that is no withdrawal.
    mirror.hear(&on(Role::Port, 8));
    assert_eq!(mirror.change(now).macs, [(NUMBER, mac(8), None)]);
    let change = mirror.change(now + HOLD);
    assert_eq!(
        (change.stale, &change.macs[..], flood(&change)),
        (Some(false), &[(NUMBER, mac(7), None)][..], Some(vec![]))
    );
    assert!(mirror.change(now + 2 * HOLD).is_empty());
}

#[test]
fn when_bgp_is_back_only_what_it_does_not_say_again_goes() {
    let (mut mirror, now) = mirror();
    let known = [takes_part(2), takes_part(3), on(Role::Vxlan, 7), behind(7, 2), on(Role::Vxlan, 8), behind(8, 3)];
    known.iter().for_each(|heard| mirror.hear(heard));
    mirror.change(now);
    known.iter().for_each(|heard| mirror.hear(&gone(heard.clone())));
    mirror.change(now);
    [takes_part(2), on(Role::Vxlan, 7), behind(7, 2)].iter().for_each(|heard| mirror.hear(heard));
    let back = now + Duration::from_secs(5);
    assert!(mirror.change(back).is_empty());
    let change = mirror.change(back + RESYNC);
    assert_eq!((change.stale, &change.macs[..]), (Some(false), &[(NUMBER, mac(8), None)][..]));
    assert_eq!(flood(&change), Some(vec![vtep(2)]));
}

#[test]
fn neighbours_come_and_go() {
    let (mut mirror, now) = mirror();
    let heard = Heard::Neighbour { vni: VNI, address: IpAddr::from([10, 1, 0, 50]), mac: Some(mac(7)) };
    mirror.hear(&heard);
    assert_eq!(mirror.change(now).neighbours, [(NUMBER, IpAddr::from([10, 1, 0, 50]), Some(mac(7)))]);
    mirror.hear(&gone(heard));
    assert_eq!(mirror.change(now).neighbours, [(NUMBER, IpAddr::from([10, 1, 0, 50]), None)]);
}
