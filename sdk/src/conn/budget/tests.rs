//! A pool, what peers use of it, and the accounts of their connections.

use super::*;

#[test]
fn a_pool_knows_what_its_accounts_use_to_within_a_step_and_nothing_is_left_behind() {
    let pool = Pool::new(1_000_000);
    let mut one = Account::new(500_000, Some(Usage::new(Arc::clone(&pool))));
    let mut two = Account::new(500_000, Some(Usage::new(Arc::clone(&pool))));
    assert!(!one.reserve(0, STEP - 1));
    assert_eq!(
        (one.reserved(), pool.reserved()),
        (STEP - 1, 0),
        "small traffic does not touch the pool"
    );
    assert!(one.reserve(STEP - 1, STEP + 1));
    two.reserve(0, 300_000);
    two.hold(0, 200_000);
    assert_eq!((pool.reserved(), pool.held()), (STEP + 1 + 300_000, 200_000));
    two.reserve(300_000, 1);
    two.reserve(1, 0);
    assert_eq!(pool.reserved(), STEP + 1);
    one.join();
    drop((one, two));
    assert_eq!((pool.reserved(), pool.held(), pool.sharers.load(Ordering::Relaxed)), (0, 0, 0));
}

/// A shared counter that each message touches makes the threads of a server wait for each
/// other.
#[test]
fn a_pool_is_told_every_four_kibibytes_and_not_in_between() {
    let pool = Pool::new(1_000_000);
    let mut account = Account::new(500_000, Some(Usage::new(Arc::clone(&pool))));
    assert!(!account.reserve(0, 4_095));
    assert!(account.reserve(4_095, 4_096));
    assert_eq!(pool.reserved(), 4_096);
    assert!(!account.reserve(4_096, 4_097), "an account that has told something does not tell all");
    assert!(!account.reserve(4_097, 1));
    assert!(account.reserve(1, 0), "an account that is empty says so");
    assert_eq!(pool.reserved(), 0);
    assert!(!account.reserve(0, 1), "one that was empty and has told nothing has nothing to tell");
    assert!(!account.reserve(1, 0));
}

#[test]
fn who_leaves_makes_the_shares_of_the_others_larger() {
    let pool = Pool::new(64 << 20);
    let mut account = Account::new(64 << 20, Some(Usage::new(Arc::clone(&pool))));
    account.join();
    let alone = account.share(0);
    account.join();
    assert!(account.share(0) < alone);
    account.leave();
    assert_eq!((account.share(0), account.sharers), (alone, 1));
    account.leave();
    assert_eq!((account.sharers, pool.sharers.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn shares_shrink_as_room_gets_short_and_there_is_always_some_for_those_who_come_late() {
    let mut account = Account::new(64 << 20, Some(Usage::new(Pool::new(usize::MAX))));
    let mut shares = Vec::new();
    for _ in 0..2_000 {
        let share = account.share(0).min(65_535);
        shares.push(share);
        account.join();
        account.reserve(0, share);
    }
    assert!(
        shares[..500].iter().all(|share| *share == 65_535),
        "nobody is short while half is left"
    );
    assert!(shares.is_sorted_by(|one, next| one >= next));
    assert!(shares[1_999] > 1_024, "{}", shares[1_999]);
    assert!(account.can_reserve(0).is_ok());
}

#[test]
fn who_is_over_is_told_by_how_much_and_which_setting_changes_it() {
    let pool = Pool::new(20_000);
    let mut account = Account::new(10_000, Some(Usage::new(Arc::clone(&pool))));
    assert_eq!(account.can_hold(10_000), Ok(()));
    let over = account.can_hold(10_001).unwrap_err();
    assert_eq!((over.limit, over.setting), (10_000, "max_unread_per_connection"));
    account.hold(0, 12_500);
    assert!(account.can_hold(0).is_err());
    assert_eq!((account.is_sound(0, 0), account.can_reserve(10_000)), (Ok(()), Ok(())));
    assert!(account.is_sound(4_200, 0).is_err());
    account.hold(0, 4_200);
    assert!(account.is_sound(0, 0).is_err());
    assert!(account.is_sound(0, 10_000).is_ok());
    let mut other = Account::new(10_000, Some(Usage::new(pool)));
    let over = other.can_hold(5_000).unwrap_err();
    assert_eq!((over.used, over.own, over.limit, over.setting), (16_700, 0, 20_000, "max_unread"));
    other.hold(0, 8_000);
    let over = other.can_hold(0).unwrap_err();
    let text = "24700 of 20000 bytes are in use for what is not read yet, 8000 of them by this peer, \
                which gets no more than it leaves (max_unread)";
    assert_eq!(over.to_string(), text);
    assert_eq!((other.is_sound(0, 7_700), other.is_sound(0, 7_699)), (Ok(()), Err(over)));
}

#[test]
fn no_peer_takes_more_of_the_pool_than_it_leaves_to_the_others() {
    const MIB: usize = 1024 * 1024;
    let pool = Pool::new(512 * MIB);
    let accounts: Vec<_> = (0..6)
        .map(|_| {
            let mut account = Account::new(512 * MIB, Some(Usage::new(Arc::clone(&pool))));
            account.join();
            while account.can_hold(MIB).is_ok() && account.can_reserve(MIB).is_ok() {
                account.hold(0, MIB);
                account.reserve(0, MIB);
            }
            account
        })
        .collect();
    let held: Vec<_> = accounts.iter().map(|account| account.held() / MIB).collect();
    assert_eq!(held, [256, 128, 64, 32, 16, 8]);
    assert_eq!(accounts[0].share(0), 0, "nothing is left to it");
    let late = Account::new(512 * MIB, Some(Usage::new(pool)));
    assert_eq!((late.can_hold(8 * MIB), late.share(0)), (Ok(()), 4 * MIB / TO_COME));
}

#[test]
fn an_account_that_calls_alone_have_filled_is_still_read() {
    const MESSAGE: usize = 10_000_000;
    let mut account = Account::new(usize::MAX, Some(Usage::new(Pool::new(32_000_000))));
    while account.can_hold(MESSAGE).is_ok() {
        account.hold(0, MESSAGE);
    }
    assert_eq!(
        (account.held(), account.is_within(MESSAGE)),
        (2 * MESSAGE, true),
        "4 of 3.2 messages"
    );
    account.hold(0, 3_000_000);
    assert_eq!(
        (account.is_within(MESSAGE), account.is_sound(0, MESSAGE)),
        (true, Ok(())),
        "46 of 46 MB"
    );
    account.hold(0, 4_000);
    assert_eq!((account.is_within(MESSAGE), account.is_sound(0, MESSAGE)), (false, Ok(())));
}

#[test]
fn one_window_grows_to_its_most_in_the_usual_room_and_a_thousand_leave_some() {
    use crate::conn::config::{DEFAULT_MAX_WINDOW, room_for};
    const MIB: usize = 1024 * 1024;
    let most = room_for(DEFAULT_MAX_WINDOW);
    for (streams, least) in [(1, most), (3, most), (100, MIB), (1_000, 50_000)] {
        let mut account = Account::new(256 * MIB, Some(Usage::new(Pool::new(512 * MIB))));
        let mut rooms = vec![room_for(DEFAULT_WINDOW); streams];
        for room in &rooms {
            account.join();
            account.reserve(0, *room);
        }
        for _ in 0..20 {
            for room in &mut rooms {
                let next = account.share_of_grown(*room).min(most);
                account.reserve(*room, next);
                *room = next;
            }
        }
        assert!(rooms.iter().all(|room| *room >= least), "{streams}: {:?}", rooms.iter().min());
        assert!(account.reserved() <= 192 * MIB, "{streams}: {}", account.reserved());
        let late = account.share(0);
        assert!(late >= room_for(DEFAULT_WINDOW).min(least / 2), "{streams}: {late}");
    }
}
