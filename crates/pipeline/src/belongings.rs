//! What an account keeps beside the chain: a profile for everybody, and a list that only it can
//! read, in which its bookmarks and mutes are.
//!
//! Both are set by the owner of a name with a signed request, the one that also sets a password:
//! account, name, a version that only rises, and a hash of what goes beside it. Here that hash is
//! over a tag and hashes: 82 or 47 bytes, where a password's is over the 32 bytes of an OPAQUE
//! message, or a record of 192 and a vault. So a request for one of these is none for another.
//!
//! The list is encrypted by the client, under a key that follows from the account's seed. Reading
//! it needs no permission then, and no second way of signing in; and who was muted or what was
//! saved is nobody's business, the operator's neither.
//!
//! Deliberately absent: a photo of the profile's own, which moderators couldn't hide and the reaper
//! would delete: an avatar is the photo of a birth or post of the account, and goes with it.

use pitpet_chain::hash::{AccountId, Digest32, EventId, sha256, tagged};

use crate::api::{KeptList, Problem, ProfileView, SubmittedList, SubmittedProfile};
use crate::erase;
use crate::head::LedgerError;
use crate::ingest::{Ingest, base64_field};
use crate::items::{self, BadItem, Fields, attributes};
use crate::ports::{
    Attributes, Condition, Consistency, Key, Order, Query, Retry, Table, TableError, Update, Value,
};
use crate::problem::{bad_field, not_found, problem};
use crate::rate_limit::Counting;

/// Characters of a profile's text, at most: a few sentences. As UTF-8 at most 1,120 bytes.
pub const BIO_CHARS_MAX: usize = 280;

/// Bytes of an encrypted list, at most: 200 bookmarks of 67 bytes, 50 accounts of 67 and 50 tags of
/// at most 33 × 4 are 23.4 KB, the rest is padding and the cipher's own.
pub const LIST_BYTES_MAX: usize = 24 * 1024 + 64;

/// What comes before a profile in the hash that its request carries, over the avatar's event id
/// (32 zero bytes if there is none) and the SHA-256 of the text.
pub const PROFILE_TAG: &str = "pitpet/v1/profile";

/// What comes before an encrypted list in the hash that its request carries, over its SHA-256.
pub const LIST_TAG: &str = "pitpet/v1/list";

/// A profile as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What the account says of itself.
    pub bio: String,
    /// The birth or post whose photo stands for it.
    pub avatar: Option<EventId>,
    /// The request's version; 0 if there never was one.
    pub version: u64,
    /// Whether the operator erased it for good.
    pub is_closed: bool,
}

impl Profile {
    /// Reads the item.
    ///
    /// # Errors
    /// [`BadItem`].
    pub fn read(item: &Attributes) -> Result<Self, BadItem> {
        // Of one that was erased for good nothing is told; the version only bars requests in flight.
        if item.contains_key(CLOSED) {
            return Ok(Self { is_closed: true, ..Self::default() });
        }
        Ok(Self {
            bio: item.text("bio")?.to_owned(),
            avatar: item.digest("avatar").ok().map(EventId),
            version: item.number("version")?,
            is_closed: false,
        })
    }

    /// What a request for it is signed over.
    pub fn content(bio: &str, avatar: Option<&EventId>) -> Digest32 {
        let avatar = avatar.map_or([0; 32], |event| event.0);
        tagged(PROFILE_TAG, &[&avatar, &sha256(bio.as_bytes())])
    }
}

/// What a request for an encrypted list is signed over.
pub fn list_content(sealed: &[u8]) -> Digest32 {
    tagged(LIST_TAG, &[&sha256(sealed)])
}

/// The attribute that says that the operator erased a profile, and when, ms since the Unix epoch.
const CLOSED: &str = "closed";

/// Reads what an account keeps under a key of its partition. By a query, because whoever writes
/// there may query it, and nothing more.
async fn read(table: &dyn Table, key: &Key) -> Result<Option<Attributes>, TableError> {
    let query = Query {
        pk: key.pk.clone(),
        from: key.sk.clone(),
        to: key.sk.clone(),
        order: Order::Ascending,
        limit: 1,
        consistency: Consistency::Strong,
    };
    Ok(table.query(&query).await?.pop().map(|item| item.attributes))
}

fn checked_bio(bio: &str) -> Result<(), Problem> {
    let count = bio.chars().count();
    if count > BIO_CHARS_MAX {
        let detail =
            format!("A profile's text has at most {BIO_CHARS_MAX} characters, and this one has {count}.");
        return Err(bad_field("bio", detail));
    }
    if bio.chars().any(|c| c.is_control() && c != '\n') {
        return Err(bad_field("bio", "A profile's text has no control characters but line breaks."));
    }
    Ok(())
}

impl Ingest {
    /// Keeps a profile, in place of an older one.
    ///
    /// # Errors
    /// A problem; status 409 if a newer one is there, 403 if the operator erased it for good.
    pub async fn keep_profile(
        &self,
        submitted: &SubmittedProfile,
        counting: &mut Counting<'_>,
    ) -> Result<ProfileView, Problem> {
        checked_bio(&submitted.bio)?;
        let avatar = submitted.avatar.as_deref().map(str::parse::<EventId>).transpose();
        let avatar = avatar
            .map_err(|_| bad_field("avatar", "An avatar is the id of an event: 64 hexadecimal digits."))?;
        let content = Profile::content(&submitted.bio, avatar.as_ref());
        let wished = self.wished(&submitted.request, content, counting).await?;
        if let Some(avatar) = &avatar {
            self.check_avatar(avatar, &wished.account).await?;
        }
        let key = items::profile(&wished.account);
        let kept = read(self.table.as_ref(), &key).await?.as_ref().map(Profile::read).transpose()?;
        if kept.is_some_and(|kept| kept.is_closed) {
            let detail = "Who runs this server erased the profile of this account, and takes no other one.";
            return Err(problem(403, "profile-closed", "The profile is closed", detail, Some("account")));
        }
        let mut set = attributes([("bio", submitted.bio.clone().into())]);
        let mut remove = Vec::new();
        match &avatar {
            Some(avatar) => drop(set.insert("avatar".to_owned(), avatar.0.into())),
            None => remove.push("avatar"),
        }
        self.keep(key, set, remove, content, wished.version).await?;
        Ok(ProfileView {
            account: wished.account.to_string(),
            bio: submitted.bio.clone(),
            avatar: submitted.avatar.clone(),
            avatar_url: None,
            version: wished.version,
        })
    }

    /// An avatar is the photo of a birth or post that the account itself signed.
    async fn check_avatar(&self, avatar: &EventId, account: &AccountId) -> Result<(), Problem> {
        let mined = erase::find(&self.read_side, avatar).await?;
        let mined = mined.ok_or_else(|| not_found("such birth or post", "avatar"))?;
        if mined.account != *account {
            let detail = "An avatar is a photo of your own: of a birth or post that your account signed.";
            return Err(problem(403, "not-your-photo", "Not your photo", detail, Some("avatar")));
        }
        if mined.photo.is_none() {
            return Err(bad_field("avatar", "This event has no photo: name a birth, or a post with one."));
        }
        Ok(())
    }

    /// Keeps an encrypted list, in place of an older one.
    ///
    /// # Errors
    /// A problem; status 409 if a newer one is there.
    pub async fn keep_list(
        &self,
        submitted: &SubmittedList,
        counting: &mut Counting<'_>,
    ) -> Result<KeptList, Problem> {
        let sealed = base64_field("sealed", &submitted.sealed)?;
        if sealed.is_empty() || sealed.len() > LIST_BYTES_MAX {
            return Err(bad_field("sealed", format!("An encrypted list has 1 to {LIST_BYTES_MAX} bytes.")));
        }
        let content = list_content(&sealed);
        let wished = self.wished(&submitted.request, content, counting).await?;
        let set = attributes([("sealed", sealed.into())]);
        self.keep(items::private_list(&wished.account), set, Vec::new(), content, wished.version).await?;
        Ok(KeptList { account: wished.account.to_string(), version: wished.version })
    }

    /// Writes what an account keeps, unless a newer one is there.
    async fn keep(
        &self,
        key: Key,
        mut set: Attributes,
        remove: Vec<&'static str>,
        content: Digest32,
        version: u64,
    ) -> Result<(), Problem> {
        set.extend(attributes([("version", version.into()), ("content", content.into())]));
        let condition = Condition::Below("version", version);
        let update = Update { key: key.clone(), set, remove, condition, retry: Retry::Allowed };
        match self.table.update(&update).await {
            Ok(()) => Ok(()),
            Err(TableError::Conflict) => {
                let kept = read(self.table.as_ref(), &key).await?;
                // A repeated request meets its own effect.
                if kept.is_some_and(|kept| {
                    kept.digest("content") == Ok(content) && kept.number("version") == Ok(version)
                }) {
                    return Ok(());
                }
                let detail =
                    format!("Version {version} or a newer one is kept. Read it, and use a higher version.");
                Err(problem(409, "kept-version", "A newer one is there", detail, Some("version")))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Erases the profile of an account, by name or id, for good, because the law asks the operator for
/// it; none if the name isn't registered. Safe to repeat.
///
/// # Errors
/// [`LedgerError`].
pub async fn erase_profile_of(
    table: &dyn Table,
    account: &str,
    now_ms: u64,
) -> Result<Option<AccountId>, LedgerError> {
    let account = match account.parse() {
        Ok(account) => account,
        Err(_) => match table.get(&items::name(account), Consistency::Strong).await? {
            Some(holder) => AccountId(holder.digest("account")?),
            None => return Ok(None),
        },
    };
    erase_profile(table, &account, now_ms).await?;
    Ok(Some(account))
}

/// Erases the profile of an account for good.
///
/// # Errors
/// [`TableError`].
pub async fn erase_profile(table: &dyn Table, account: &AccountId, now_ms: u64) -> Result<(), TableError> {
    let update = Update {
        key: items::profile(account),
        set: attributes([
            ("bio", String::new().into()),
            // Above every version that a request may have, so that none in flight comes after it.
            ("version", Value::Number(u64::from(u32::MAX) << 20)),
            (CLOSED, now_ms.into()),
        ]),
        remove: vec!["avatar", "content"],
        condition: Condition::Below(CLOSED, u64::MAX),
        retry: Retry::Allowed,
    };
    table.update(&update).await
}
