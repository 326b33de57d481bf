//! Objects: snapshots, photos and the chain modules that anyone may fetch.

use pitpet_chain::abi::{Opened, Start};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::{Digest32, sha256};

use super::{Chain, Flaw, Loss, Place, Run};
use crate::erase::is_photo_erased;
use crate::head::LedgerError;
use crate::items;
use crate::ports::{ModuleError, ObjectError, Objects};
use crate::snapshots;

impl Run<'_, '_> {
    /// The snapshots of a kennel and the module that opens them.
    pub(super) async fn snapshots(&mut self, chain: &Chain) -> Result<(), LedgerError> {
        let Some(objects) = self.fsck.objects else {
            let why = format!("{}: photos and snapshots: no object store was named", chain.founding.label);
            self.summary.unchecked.push(why);
            return Ok(());
        };
        let kennel = chain.founding.kennel;
        self.module(chain, objects).await?;
        for place in snapshots::list(objects, &kennel).await? {
            let on_chain = usize::try_from(place.height).ok().and_then(|at| chain.hashes.get(at));
            let flaw = if on_chain == Some(&place.hash) {
                self.snapshot_flaw(chain, objects, &place).await?
            } else if place.height > chain.head.height && self.has_grown_to(chain, place.height).await? {
                continue;
            } else {
                Some(Flaw::Unexpected)
            };
            let Some(flaw) = flaw else { continue };
            if self.repairs() {
                // A cache: without it older ones serve, in the end the genesis.
                snapshots::delete(objects, &kennel, &place).await?;
            }
            let place = Place::Object(snapshots::manifest_key(&kennel, &place));
            self.fault(kennel, place, flaw, self.derivable());
        }
        self.summary.leftovers += snapshots::count_leftovers(objects, &kennel).await?;
        Ok(())
    }

    async fn snapshot_flaw(
        &mut self,
        chain: &Chain,
        objects: &dyn Objects,
        place: &snapshots::Place,
    ) -> Result<Option<Flaw>, LedgerError> {
        let bad = |why: String| Ok(Some(Flaw::Snapshot(why)));
        let content = match snapshots::read(objects, &chain.founding.kennel, place).await {
            Ok(content) => content,
            Err(LedgerError::Objects(ObjectError::NotFound)) => return bad("a part is missing".to_owned()),
            Err(LedgerError::Damaged(why)) => return bad(why),
            Err(error) => return Err(error),
        };
        let rules_hash = chain.head.header.rules_hash;
        let start = Start { rules_hash, genesis: None, snapshot: Some(Bytes(content)) };
        // It recomputes the state root, which the header in the snapshot states.
        match self.fsck.modules.open(&rules_hash.0, &encode(&start)) {
            Ok((_, opened)) => match decode::<Opened>(&opened) {
                Ok(opened) if opened.head.hash == place.hash => {
                    self.summary.snapshots += 1;
                    Ok(None)
                }
                _ => bad("it is of another block".to_owned()),
            },
            Err(ModuleError::Refused(fault)) => bad(fault.to_string()),
            Err(error) => {
                self.summary.unchecked.push(format!("snapshot at block {}: {error}", place.height));
                Ok(None)
            }
        }
    }

    /// The module that decided the kennel's blocks, where it is kept for others to fetch.
    async fn module(&mut self, chain: &Chain, objects: &dyn Objects) -> Result<(), LedgerError> {
        let rules = chain.head.header.rules_hash;
        let key = items::rules_object(&rules);
        let content = match objects.get(&key).await {
            Ok(content) => content,
            // The service puts it there when it starts.
            Err(ObjectError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if sha256(&content) != rules.0 {
            if self.repairs() {
                objects.delete(&key).await?;
            }
            self.fault(chain.founding.kennel, Place::Object(key), Flaw::Content, self.derivable());
        }
        Ok(())
    }

    /// A photo that an event shows.
    pub(super) async fn photo(&mut self, chain: &Chain, photo: &Digest32) -> Result<(), LedgerError> {
        let Some(objects) = self.fsck.objects else { return Ok(()) };
        let key = items::photo_object(photo);
        if is_photo_erased(self.fsck.table, photo).await? {
            self.summary.erased += 1;
            if objects.size(&key).await?.is_some() {
                if self.repairs() {
                    objects.delete(&key).await?;
                }
                self.fault(chain.founding.kennel, Place::Object(key), Flaw::HalfErased, self.derivable());
            }
            return Ok(());
        }
        let flaw = match objects.get(&key).await {
            Ok(content) if sha256(&content) == *photo => {
                self.summary.photos += 1;
                return Ok(());
            }
            Ok(_) => {
                // A false photo is worse than none.
                if self.repairs() {
                    objects.delete(&key).await?;
                }
                Flaw::Content
            }
            Err(ObjectError::NotFound) => Flaw::Missing,
            Err(error) => return Err(error.into()),
        };
        self.lost(chain.founding.kennel, Place::Object(key), flaw, Loss::Photo);
        Ok(())
    }
}
