//! What a walk does with what comes back: journeys that go on, deliveries that may be tried again.

use std::collections::HashMap;
use std::sync::Arc;

use super::draft::{Draft, Standing};
use super::marks::Writing;
use super::walk::{Walk, off_the_workers};
use super::walk_again::{Again, again, withdrawn};
use super::{LiveChunk, News};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::delivery::DeliveryId;
use crate::store::StoreError;
use crate::store::deliveries::{Decided, Delivery};

impl Walk {
    /// Sees to what was told; in a halted run nothing goes on any more.
    pub(super) async fn see_to(&mut self, news: Vec<News>, halted: bool) -> Result<(), StoreError> {
        // Whoever takes a chunk finds what a person lets be sent again, and may be told of it too.
        let mut seen = std::collections::HashSet::new();
        let told = news.iter().filter_map(|one| one.again());
        let (again, doubled): (Vec<DeliveryId>, Vec<DeliveryId>) = told.partition(|id| seen.insert(*id));
        self.chunk.end(doubled.len());
        let going_on: Vec<DeliveryId> = news.iter().filter_map(|one| one.going_on()).collect();
        if halted {
            self.chunk.end(going_on.len());
            return self.write_off(again).await;
        }
        let rows = if again.is_empty() { Vec::new() } else { self.desk.deliveries.get(&again).await? };
        let customers = self.load(news.iter().map(|one| one.customer())).await?;
        let (draft, closed) = off_the_workers(|| {
            let (mut draft, writing) = (Draft::default(), self.desk.marks.begin());
            for id in going_on {
                if !self.fits(&draft) {
                    self.chunk.tell(News::GoOn(id));
                    continue;
                }
                writing.is_for(id.run, id.customer);
                self.go_on(&mut draft, id, &customers);
            }
            let closed = self.try_again((&mut draft, &writing), &again, rows, &customers);
            (draft, closed)
        });
        self.hand_over(draft, 0).await?;
        report_closed(&self.chunk, closed);
        Ok(())
    }

    fn go_on(&self, draft: &mut Draft, id: DeliveryId, customers: &HashMap<CustomerKey, Arc<Customer>>) {
        let at = self.chunk.run.script.after(id.node);
        match customers.get(&id.customer) {
            Some(customer) => {
                draft.walk(&self.chunk, customer, Standing { place: None, at, behind: Some(id.node) });
            }
            None => {
                draft.pass(&self.chunk, id);
                draft.ended += 1;
            }
        }
    }

    /// Renders waiting deliveries again; gives those that came to a final state instead, and whether their
    /// journey ends there.
    fn try_again(
        &self,
        (draft, writing): (&mut Draft, &Writing<'_>),
        asked: &[DeliveryId],
        rows: Vec<Delivery>,
        customers: &HashMap<CustomerKey, Arc<Customer>>,
    ) -> Vec<(DeliveryId, bool)> {
        // A row that is gone or not waiting is not ours to try.
        draft.ended += asked.len() - rows.len();
        let mut closed = Vec::new();
        for row in rows {
            if !self.fits(draft) {
                self.chunk.tell(News::Again(row.id));
                continue;
            }
            writing.is_for(row.id.run, row.id.customer);
            let on_unknown = self.desk.post.on_unknown(&row.channel);
            match again(&self.chunk, &row, customers.get(&row.id.customer), on_unknown) {
                Again::Send(job) => draft.jobs.push((row.channel, *job)),
                Again::Close(decided) => {
                    closed.push((decided.id, decided.passed));
                    draft.decided.push(decided);
                }
                // Its outcome came after all, from one who had lost the chunk.
                Again::NotWaiting if self.goes_on_behind(&row) => self.go_on(draft, row.id, customers),
                Again::NotWaiting => draft.ended += 1,
            }
        }
        closed
    }

    /// Whether what was made leaves room, and time, for another text; what does not fit is told once more.
    fn fits(&self, draft: &Draft) -> bool {
        !draft.is_late() && (draft.jobs.is_empty() || self.chunk.another_text_fits())
    }

    fn goes_on_behind(&self, row: &Delivery) -> bool {
        !row.state.is_open() && !row.passed && self.chunk.run.script.after(row.id.node).is_some()
    }

    /// Deliveries of a halted run that wait are closed with the run's reason.
    async fn write_off(&self, ids: Vec<DeliveryId>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.desk.deliveries.get(&ids).await?;
        let now = jiff::Timestamp::now();
        let halt = self.chunk.run.halt(now);
        let decided: Vec<Decided> =
            rows.iter().filter_map(|row| withdrawn(&self.chunk, row, halt?)).collect();
        self.hand_over(Draft { decided, ended: ids.len(), ..Draft::default() }, 0).await
    }
}

fn report_closed(chunk: &LiveChunk, closed: Vec<(DeliveryId, bool)>) {
    closed.into_iter().for_each(|(id, last)| chunk.ended(id, last));
}

impl News {
    fn again(self) -> Option<DeliveryId> {
        match self {
            News::Again(id) => Some(id),
            News::GoOn(_) => None,
        }
    }

    fn going_on(self) -> Option<DeliveryId> {
        match self {
            News::GoOn(id) => Some(id),
            News::Again(_) => None,
        }
    }

    fn customer(self) -> CustomerKey {
        match self {
            News::Again(id) | News::GoOn(id) => id.customer,
        }
    }
}
