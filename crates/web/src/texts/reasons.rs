//! Why something was refused, as players are told: by the code of a problem, in their language.
//!
//! The ledger's pages name every reason in the ledger's own words. Here those words are absent: who
//! pats a pet has never heard of a nonce.

use pitpet_chain::reject::Reject;

use super::Lang;

/// Codes of problems that are no rejects, each in English and German.
const OTHERS: &[(&str, &str, &str)] = &[
    ("body-too-large", "This text is too long.", "Dieser Text ist zu lang."),
    ("body-mismatch", BROKEN.0, BROKEN.1),
    ("body-malformed", BROKEN.0, BROKEN.1),
    ("body-presence", BROKEN.0, BROKEN.1),
    ("bad-request", BROKEN.0, BROKEN.1),
    (
        "bad-name",
        "A name has 3 to 30 characters of a-z, 0-9, - and _, and begins with a letter.",
        "Ein Name hat 3 bis 30 Zeichen von a-z, 0-9, - und _ und beginnt mit einem Buchstaben.",
    ),
    (
        "busy",
        "Too much at once. Try again in a moment.",
        "Zu viel auf einmal. Versuch es gleich noch einmal.",
    ),
    (
        "content-mismatch",
        "This photo did not arrive whole. Try again.",
        "Dieses Foto kam nicht vollständig an. Versuch es noch einmal.",
    ),
    (
        "no-place",
        "There is no free place for a pet at the moment.",
        "Zurzeit ist kein Platz für ein Tier frei.",
    ),
    ("not-found", "It is not here, or not any more.", "Das gibt es hier nicht, oder nicht mehr."),
    ("not-your-name", "This name belongs to another account.", "Dieser Name gehört einem anderen Konto."),
    (
        "not-your-photo",
        "Only a photo that you put here yourself can be your picture.",
        "Dein Bild kann nur ein Foto sein, das du selbst hergebracht hast.",
    ),
    (
        "not-your-text",
        "Only whoever wrote a text can erase it.",
        "Einen Text kann nur löschen, wer ihn geschrieben hat.",
    ),
    ("photo-erased", "This photo was erased.", "Dieses Foto wurde gelöscht."),
    ("photo-too-large", "This photo is too large.", "Dieses Foto ist zu groß."),
    ("account-limit", SLOWER.0, SLOWER.1),
    ("address-limit", SLOWER.0, SLOWER.1),
    (
        "report-limit",
        "You reported much lately. Try again later.",
        "Du hast zuletzt viel gemeldet. Versuch es später noch einmal.",
    ),
    (
        "sign-in-limit",
        "Too many attempts for this name. Try again in an hour.",
        "Zu viele Versuche für diesen Namen. Versuch es in einer Stunde noch einmal.",
    ),
    (
        "sign-in-over",
        "It took too long. Sign in again.",
        "Es hat zu lange gedauert. Melde dich noch einmal an.",
    ),
    (
        "unavailable",
        "PitPet can’t answer right now. Try again in a moment.",
        "PitPet kann gerade nicht antworten. Versuch es gleich noch einmal.",
    ),
];

const BROKEN: (&str, &str) = (
    "What this page sent could not be read. Reload it, and try again.",
    "Was diese Seite geschickt hat, war nicht zu lesen. Lade sie neu und versuch es noch einmal.",
);

const SLOWER: (&str, &str) =
    ("Too fast. Wait a little, and try again.", "Zu schnell. Warte ein wenig und versuch es noch einmal.");

/// A reject in a player's words; none where those of the ledger are a player's.
fn plain(reject: Reject) -> Option<(&'static str, &'static str)> {
    Some(match reject {
        Reject::TooLarge => ("This is too long.", "Das ist zu lang."),
        Reject::Malformed
        | Reject::WrongVersion
        | Reject::UnknownKind
        | Reject::WrongKennel
        | Reject::NonceRange
        | Reject::WeakStamp
        | Reject::BadSignature
        | Reject::WrongParent
        | Reject::KeysRange
        | Reject::TooFewStatements
        | Reject::BadStatement
        | Reject::PastHeight
        | Reject::NotIdle => BROKEN,
        Reject::Expired | Reject::StaleAnchor => {
            ("It took too long. Try again.", "Es hat zu lange gedauert. Versuch es noch einmal.")
        }
        Reject::ExpiresTooFar => (
            "The clock of your device is wrong. Set it, and try again.",
            "Die Uhr deines Geräts geht falsch. Stell sie und versuch es noch einmal.",
        ),
        Reject::StaleNonce => (
            "You did something else at the same moment. Try again.",
            "Du hast im selben Moment etwas anderes getan. Versuch es noch einmal.",
        ),
        Reject::WrongKey => (
            "Your account has another key by now. Sign in again.",
            "Dein Konto hat inzwischen einen anderen Schlüssel. Melde dich noch einmal an.",
        ),
        Reject::StaleSeal | Reject::WeakSeal | Reject::AlreadySealed => (
            "This age is over, or somebody found it.",
            "Dieses Alter ist vorbei, oder jemand hat es gefunden.",
        ),
        Reject::UnknownPet => ("There is no such pet here.", "Hier gibt es kein solches Tier."),
        Reject::UnknownPost => {
            ("This post takes no more visits.", "Dieser Beitrag nimmt keine Besuche mehr an.")
        }
        Reject::KennelFull => {
            ("There is no free place for a pet here.", "Hier ist kein Platz für ein Tier frei.")
        }
        Reject::AccountsFull => {
            ("There is no room for more players here.", "Hier ist kein Platz für weitere Spieler.")
        }
        Reject::OrdersFull => (
            "The market takes no more offers at the moment.",
            "Der Markt nimmt zurzeit keine Angebote mehr an.",
        ),
        Reject::UnknownAccount => {
            ("This account has nothing here yet.", "Dieses Konto hat hier noch nichts.")
        }
        Reject::HasLivingPet => (
            "You have a living pet here already; there is one at a time.",
            "Du hast hier schon ein lebendes Tier; mehr als eines auf einmal gibt es nicht.",
        ),
        Reject::NoTreats => (
            "You have not enough treats that may pay for this.",
            "Du hast nicht genug Leckerlis, die dafür ausgegeben werden dürfen.",
        ),
        Reject::AlreadyDone => {
            ("You did this before: once for each post.", "Das hast du schon getan: einmal bei jedem Beitrag.")
        }
        Reject::TooManyComments => (
            "You commented on this post as often as one may.",
            "Du hast diesen Beitrag so oft kommentiert, wie man darf.",
        ),
        Reject::TooManyOrders => (
            "You have as many open offers and bids as one may.",
            "Du hast so viele offene Angebote und Gebote, wie man haben darf.",
        ),
        _ => return None,
    })
}

/// Every code with its words.
pub(crate) fn all(lang: Lang) -> Vec<(&'static str, &'static str)> {
    let pick = |(en, de): (&'static str, &'static str)| match lang {
        Lang::En => en,
        Lang::De => de,
    };
    let rejects = Reject::ALL.iter().map(|reject| {
        let words = plain(*reject).map_or_else(|| (lang.texts().reject)(*reject), pick);
        (reject.name(), words)
    });
    rejects.chain(OTHERS.iter().map(|(code, en, de)| (*code, pick((en, de))))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players_read_no_word_of_the_ledger() {
        const LEDGERS: [&str; 12] = [
            "kennel",
            "nonce",
            "stamp",
            "seal",
            "receipt",
            "proof of work",
            "canonical",
            "stempel",
            "siegel",
            "quittung",
            "arbeitsnachweis",
            "kanonisch",
        ];
        for lang in Lang::ALL {
            for (code, words) in all(*lang) {
                let said = words.to_lowercase();
                assert!(said.len() > 10, "{code}");
                assert!(LEDGERS.iter().all(|word| !said.contains(word)), "{code}: {words}");
            }
        }
        let (en, de) = (all(Lang::En), all(Lang::De));
        assert!(en.iter().zip(&de).all(|(en, de)| en.0 == de.0 && en.1 != de.1));
        assert!(en.len() > Reject::ALL.len());
    }
}
