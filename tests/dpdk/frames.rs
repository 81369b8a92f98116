//! Frames in DPDK's buffers: replicas, pieces, growing and cutting.

use gateway::dpdk::Mbuf;
use gateway::driver::{Burst, Driver};
use gateway::frame::{Frame, Pool, TxOffload};

use crate::{P0, alone, bytes, frame, open, pattern, receive};

/// Devices that transmit one piece only get one piece, with the offloads that were asked for.
#[test]
fn frames_of_several_pieces_become_one_piece_each() {
    alone("frames::frames_of_several_pieces_become_one_piece_each", || {
        let mut dpdk = open(&["net_ring0"], 1);
        let driver = &mut dpdk.drivers[0];
        let sent: Vec<Vec<u8>> = [60, 1000, 1800, 600, 2000].iter().map(|&len| pattern(len, len as u8)).collect();
        let originals: Vec<Mbuf> = sent.iter().map(|bytes| frame(driver, bytes)).collect();
        let pool = driver.pool();
        let mut frames: Vec<Mbuf> = originals.iter().map(|one| pool.replica(one).expect("a buffer")).collect();
        frames[1].set_offload(TxOffload { ipv4_checksum_at: 14, insert: None });
        assert_eq!(frames.iter().map(Mbuf::pieces).collect::<Vec<_>>(), [1, 2, 2, 2, 2]);
        let before = pool.in_use();
        assert_eq!(pool.flatten(&mut frames), 5);
        assert!(frames.iter().all(|frame| frame.pieces() == 1));
        assert_eq!(frames.iter().map(bytes).collect::<Vec<_>>(), sent);
        assert_eq!(pool.in_use(), before - 4, "a buffer each in place of two");
        drop(originals);
        assert_eq!(driver.tx(P0, &mut frames), sent.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
        assert_eq!(receive(driver).iter().map(bytes).collect::<Vec<_>>(), sent);

        // Without a buffer the frames from the first of several pieces on wait as they are; one is enough to go on.
        let pool = driver.pool();
        let originals: Vec<Mbuf> =
            [0, 2, 4].iter().map(|&at: &usize| pool.frame(&sent[at]).expect("a buffer")).collect();
        let mut frames: Vec<Mbuf> = originals.iter().map(|one| pool.replica(one).expect("a buffer")).collect();
        drop(originals);
        let mut held: Vec<Mbuf> = std::iter::from_fn(|| pool.frame(&[0; 60])).collect();
        assert_eq!(pool.flatten(&mut frames), 1);
        assert_eq!(frames.iter().map(Mbuf::pieces).collect::<Vec<_>>(), [1, 2, 2]);
        held.pop();
        assert_eq!(pool.flatten(&mut frames), 3);
        assert_eq!(frames.iter().map(bytes).collect::<Vec<_>>(), [0, 2, 4].map(|at: usize| sent[at].clone()));
        drop((held, frames));
        assert_eq!(driver.pool().in_use(), 0);
    });
}

#[test]
fn a_replica_is_equal_and_independent() {
    alone("frames::a_replica_is_equal_and_independent", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        for len in [0, 1, 60, 127, 128, 129, 512, 513, 1000, 2000] {
            let sent = pattern(len, 7);
            let mut original = pool.frame(&sent).expect("a buffer");
            let mut replica = pool.replica(&original).expect("a buffer");
            assert_eq!(bytes(&replica), sent, "{len} bytes");
            assert!(replica.headroom() >= 326, "room for the longest outer header");
            assert!(replica.head().len() >= len.min(128));

            // Each has its first 128 bytes to itself.
            let own = len.min(128);
            replica.head_mut()[..own].fill(0xaa);
            original.head_mut()[..own].fill(0xbb);
            assert!(original.head()[..own].iter().all(|&byte| byte == 0xbb));
            assert!(replica.head()[..own].iter().all(|&byte| byte == 0xaa));
            assert_eq!(bytes(&replica)[own..], sent[own..]);
            assert_eq!(bytes(&original)[own..], sent[own..]);

            // What both can see, neither can write; once the replica is gone the original is its own again.
            if len > 512 {
                assert_eq!(original.head_mut().len(), 128);
                original.trim_front(14);
                assert_eq!(original.head_mut().len(), 114);
                assert_eq!(original.grow_front(50).expect("headroom").len(), 164);
                drop(replica);
                assert_eq!(original.head_mut().len(), len + 36);
            }
        }
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn replicas_of_replicas_and_of_pieces_are_equal() {
    alone("frames::replicas_of_replicas_and_of_pieces_are_equal", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        let sent = pattern(1900, 9);
        let first = pool.frame(&sent).expect("a buffer");
        let second = pool.replica(&first).expect("a buffer");
        let mut third = pool.replica(&second).expect("a buffer");
        third.grow_front(400).expect("a buffer").fill(0x55);
        let head = third.head().len();
        assert!(head >= 400 + 128, "the headers behind the new bytes are in the head");
        let fourth = pool.replica(&third).expect("a buffer");
        assert_eq!(bytes(&fourth), bytes(&third));
        drop((first, second));
        assert_eq!(bytes(&third)[head..], sent[head - 400..]);
        drop(third);
        assert_eq!(bytes(&fourth)[head..], sent[head - 400..]);
        drop(fourth);
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn growing_past_the_headroom_takes_another_buffer() {
    alone("frames::growing_past_the_headroom_takes_another_buffer", || {
        let mut dpdk = open(&["net_null0,size=1500"], 1);
        let driver = &mut dpdk.drivers[0];
        // As a NIC leaves them: 128 bytes in front, less than Geneve with all its options over IPv6 needs.
        let mut burst = Burst::new();
        driver.rx(0, 4, &mut burst);
        for mut frame in burst {
            assert_eq!(frame.headroom(), 128);
            let before = bytes(&frame);
            let head = frame.grow_front(326).expect("a buffer");
            head[..326].copy_from_slice(&pattern(326, 1));
            assert!(frame.head().len() >= 326 + 128);
            assert_eq!(bytes(&frame)[..326], pattern(326, 1));
            assert_eq!(bytes(&frame)[326..], before);
            assert_eq!(frame.pieces(), 2);
            assert_eq!(frame.meta().port, P0);
        }
        assert_eq!(driver.pool().in_use(), 0);
    });
}

#[test]
fn growing_trimming_and_cutting_do_what_a_vector_does() {
    alone("frames::growing_trimming_and_cutting_do_what_a_vector_does", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % limit as u64) as usize
        };
        for round in 0..300 {
            let mut expected = pattern(below(2000), round as u8);
            let mut frame = pool.frame(&expected).expect("a buffer");
            let mut others = Vec::new();
            for step in 0..20 {
                match below(5) {
                    0 => {
                        let bytes = below(300);
                        let new = pattern(bytes, step);
                        frame.grow_front(bytes).expect("a buffer")[..bytes].copy_from_slice(&new);
                        expected.splice(..0, new);
                    }
                    1 => {
                        let bytes = below(200).min(frame.head().len());
                        frame.trim_front(bytes);
                        expected.drain(..bytes);
                    }
                    2 => {
                        let len = below(2500).max(expected.len() / 2);
                        frame.truncate(len);
                        expected.truncate(len);
                    }
                    3 => {
                        let own = frame.head_mut();
                        let count = own.len().min(40);
                        own[..count].fill(step);
                        expected[..count].fill(step);
                    }
                    _ => {
                        let replica = pool.replica(&frame).expect("a buffer");
                        assert_eq!(bytes(&replica), expected);
                        // Go on with one of the two; the other must keep what it has.
                        let kept = if below(2) == 0 { std::mem::replace(&mut frame, replica) } else { replica };
                        others.push((kept, expected.clone()));
                    }
                }
                assert_eq!(bytes(&frame), expected, "round {round}, step {step}");
            }
            for (other, expected) in others {
                assert_eq!(bytes(&other), expected, "a replica changed in round {round}");
            }
        }
        assert_eq!(pool.in_use(), 0);
    });
}
