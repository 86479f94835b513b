//! Bodies that are unpacked count meanwhile.

use std::sync::atomic::Ordering;

use super::{Account, CONNECTION, Overrun};

/// The bytes that count for a body while it is unpacked.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    bytes: usize,
    overdraws: bool,
}

impl Charge {
    pub(crate) fn is_none(&self) -> bool {
        self.bytes == 0 && !self.overdraws
    }
}

impl Account {
    /// Counts a body with `now` bytes. Bodies that are unpacked get half of the connection's room,
    /// so that calls have some. Without room for more nothing changes, but one body of a peer's may
    /// go on all the same: else bodies that are half unpacked would wait for each other.
    pub(in crate::conn) fn recharge(
        &mut self,
        charge: &mut Charge,
        now: usize,
    ) -> Result<(), Overrun> {
        let more = now.saturating_sub(charge.bytes);
        if more > 0 && !charge.overdraws {
            charge.overdraws = match self.can_unpack(more) {
                Ok(()) => false,
                Err(_) if self.overdraw(true) => true,
                Err(over) => return Err(over),
            };
        }
        let before = std::mem::replace(&mut charge.bytes, now);
        self.hold(before, now);
        self.reserve(before, now);
        if now == 0 && std::mem::take(&mut charge.overdraws) {
            self.overdraw(false);
        }
        Ok(())
    }

    /// Counts what a request takes beside its body, in the room that requests have. Without room
    /// for more nothing changes, and none goes on all the same.
    pub(in crate::conn) fn recharge_request(
        &mut self,
        charge: &mut Charge,
        now: usize,
    ) -> Result<(), Overrun> {
        if let Some(more) = now.checked_sub(charge.bytes).filter(|more| *more > 0) {
            self.can_hold(more)?;
        }
        let before = std::mem::replace(&mut charge.bytes, now);
        self.hold(before, now);
        self.reserve(before, now);
        Ok(())
    }

    fn can_unpack(&self, more: usize) -> Result<(), Overrun> {
        let own = self.held.now;
        if own.saturating_add(more) > self.limit / 2 {
            return Err(Overrun { used: own, own, limit: self.limit, setting: CONNECTION });
        }
        self.can_hold(more)
    }

    /// Says whether a body of the peer's is unpacked without room. False if that was said before.
    fn overdraw(&mut self, now: bool) -> bool {
        let before = match &self.peer {
            Some(peer) => peer.overdrawn.swap(now, Ordering::Relaxed),
            None => std::mem::replace(&mut self.overdrawn, now),
        };
        before != now
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Pool, Usage};
    use super::*;

    #[test]
    fn bodies_that_are_unpacked_get_half_of_the_room_and_one_goes_on_without() {
        let usage = Usage::new(Pool::new(1_000_000));
        let mut account = Account::new(100_000, Some(Arc::clone(&usage)));
        let (mut one, mut two, mut three) =
            (Charge::default(), Charge::default(), Charge::default());
        assert_eq!(account.recharge(&mut one, 30_000), Ok(()));
        assert_eq!(account.recharge(&mut two, 20_000), Ok(()));
        assert!(!one.is_none() && !two.overdraws, "that is half of it");
        assert_eq!((account.recharge(&mut two, 90_000), account.held()), (Ok(()), 120_000));
        let over = account.recharge(&mut one, 30_001).unwrap_err();
        assert_eq!(
            (over.used, over.limit, over.setting),
            (120_000, 100_000, "max_unread_per_connection")
        );
        assert!(account.recharge(&mut three, 1).is_err() && three.is_none());
        assert_eq!(account.recharge(&mut one, 30_000), Ok(()), "it takes no more than it has");
        let mut other = Account::new(100_000, Some(usage));
        assert!(other.recharge(&mut three, 60_000).is_err(), "it is one of the peer's");
        assert_eq!((account.recharge(&mut two, 0), account.held()), (Ok(()), 30_000));
        assert_eq!(account.recharge(&mut one, 40_000), Ok(()));
        assert_eq!(other.recharge(&mut three, 60_000), Ok(()));
        assert!(account.recharge(&mut one, 60_000).is_err());
        assert_eq!(other.recharge(&mut three, 0), Ok(()));
        assert_eq!(account.recharge(&mut one, 60_000), Ok(()));
        assert_eq!(
            (account.recharge(&mut one, 0), account.held(), account.reserved()),
            (Ok(()), 0, 0)
        );

        let mut client = Account::new(100_000, None);
        assert_eq!(client.recharge(&mut one, 60_000), Ok(()));
        assert!(client.recharge(&mut two, 1).is_err());
        assert_eq!(
            (client.recharge(&mut one, 0), client.recharge(&mut two, 60_000)),
            (Ok(()), Ok(()))
        );
    }

    #[test]
    fn what_a_request_takes_gets_all_of_the_room_and_never_more() {
        let mut account = Account::new(100_000, None);
        let (mut one, mut two) = (Charge::default(), Charge::default());
        assert_eq!(account.recharge_request(&mut one, 90_000), Ok(()));
        assert!(account.recharge_request(&mut two, 10_001).is_err() && two.is_none());
        assert_eq!(account.recharge_request(&mut two, 10_000), Ok(()));
        assert!(account.recharge_request(&mut one, 90_001).is_err());
        assert_eq!((account.recharge_request(&mut one, 0), account.held()), (Ok(()), 10_000));
        assert_eq!(account.recharge_request(&mut two, 100_000), Ok(()));
        account.hold(0, 1);
        assert_eq!(
            account.recharge_request(&mut two, 100_000),
            Ok(()),
            "it takes no more than it has"
        );
        assert!(account.recharge_request(&mut two, 100_001).is_err());
    }
}
